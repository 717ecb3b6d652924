"""Refusals of a whole request: status and code as ORES gives them. Pure.

Source: wikimedia/ores ores/wsgi/responses.py and ores/wsgi/routes/v3/util.py @ 8369ea0.
"""

from collections.abc import Iterable
from typing import Any

CODES = {
    400: "bad request",
    404: "not found",
    405: "method not allowed",
    408: "request_timeout",
    413: "bad request",
    429: "too_many_requests",
    431: "bad request",
    500: "internal server error",
    503: "server overloaded",
    504: "request_timeout",
}
#: Seconds after which a client may come again that was refused because of too many others.
RETRY_SECONDS = 5
OVERLOADED = "Cannot process your request because the server is overloaded.  Try again in a few minutes."
TOO_MANY = "A limited number of parallel connections per IP is allowed."
TIMED_OUT = "Cannot process your request because the server timed out."
NOTHING_HERE = "Nothing found at this location."


class Refusal(Exception):
    """Ends a request with *status* and an error document; *known* are the names that would have been right."""

    def __init__(
        self, status: int, message: str, *, retry_after: int | None = None, known: Iterable[str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.known = known

    @property
    def document(self) -> dict[str, Any]:
        """`error` is as in ORES, in every field; the known names stand in `warnings`, which ORES' schema also has."""
        error = {"error": {"code": CODES[self.status], "message": self.message}}
        if self.known is None:
            return error
        return error | {"warnings": [{"type": "Known", "message": "|".join(self.known)}]}


def unknown_wiki(wiki: str, known: Iterable[str]) -> Refusal:
    """The refusal of a request about a wiki that the settings do not list."""
    return Refusal(404, f"No scorers available for {wiki}", known=sorted(known))


def unknown_models(wiki: str, models: Iterable[str], known: Iterable[str]) -> Refusal:
    """The refusal of a request for models that the wiki does not have."""
    return Refusal(404, f"Models {tuple(models)} not available for {wiki}", known=known)


def unknown_information(path: str) -> Refusal:
    """The refusal of a *path* at which nothing is known about a model."""
    return Refusal(400, f"Model information could not be retrieved for {path!r}")


def overloaded(message: str = OVERLOADED) -> Refusal:
    """The refusal of a request that can be answered later, with Retry-After."""
    return Refusal(503, message, retry_after=RETRY_SECONDS)
