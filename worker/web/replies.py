"""Replies: JSON as ORES writes it, for people by default and in one line with `format=json`; JSONP; headers.

Source: wikimedia/ores ores/wsgi/preprocessors.py and ores/wsgi/util.py @ 8369ea0.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Message

from worker.domain.json_text import to_json
from worker.web.questions import NO_PARAMETERS, Parameters
from worker.web.refusals import Refusal

#: Headers of every reply: pages of all sites may read answers, and answers change with the model.
HEADERS = {
    "Cache-Control": "no-store, no-cache, max-age=0",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}
#: Headers of the reply to a browser that asks whether a page of another site may post here.
PREFLIGHT = HEADERS | {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Api-User-Agent",
    "Access-Control-Max-Age": "86400",
}
JSON = "application/json"
_ENCODED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_LINES = b"".join(b"%b: %b\r\n" % header for header in _ENCODED)
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.\[\]]{0,127}")
_for_people = json.JSONEncoder(indent=2).encode


class DocumentResponse(Response):
    """A response that has the headers of every reply, which are encoded once."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        super().init_headers(headers)
        self.raw_headers.extend(_ENCODED)


@dataclass(frozen=True, slots=True)
class Ready:
    """A reply of cached scores, status 200, that is sent as it is."""

    body: bytes
    media_type: str
    #: How many scores are in it.
    scores: int

    @property
    def head(self) -> bytes:
        """The lines of its headers."""
        return b"content-length: %d\r\ncontent-type: %b\r\n%b" % (len(self.body), self.media_type.encode(), _LINES)

    @property
    def messages(self) -> tuple[Message, Message]:
        """The same reply as the messages of an ASGI application."""
        own = [(b"content-length", b"%d" % len(self.body)), (b"content-type", self.media_type.encode())]
        return (
            {"type": "http.response.start", "status": 200, "headers": own + _ENCODED},
            {"type": "http.response.body", "body": self.body},
        )


def callback_of(parameters: Parameters) -> str | None:
    """The function to which the reply is passed.

    Raises:
        Refusal: that is no function's name.
    """
    name = parameters.of_query.get("callback")
    if not name:
        return None
    if not _CALLBACK.fullmatch(name):
        raise Refusal(400, "Could not interpret callback. Write the name of a function.")
    return name


def reply(
    document: Any, parameters: Parameters, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """*document* in the form that *parameters* ask for.

    Raises:
        Refusal: they ask for none.
    """
    callback = callback_of(parameters)
    text = (to_json if parameters.of_query.get("format") == "json" else _for_people)(document)
    if callback is None:
        return DocumentResponse(text + "\n", status, headers, JSON)
    return DocumentResponse(f"{callback}({text});", status, headers, "application/javascript")


def refused(refusal: Refusal, parameters: Parameters) -> Response:
    """The error document; without JSONP if its name is what is wrong."""
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    if refusal.status in {408, 413}:
        # Nobody reads the rest of the body.
        headers["Connection"] = "close"
    try:
        return reply(refusal.document, parameters, status=refusal.status, headers=headers)
    except Refusal:
        return reply(refusal.document, NO_PARAMETERS, status=refusal.status, headers=headers)
