"""Reading EventGate's requests and writing its replies. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from worker.emulators.documents import encode
from worker.emulators.eventgate.judging import JudgedEvent
from worker.emulators.settings import Failures

#: Bodies of other types are not read and count as empty.
CONTENT_TYPES = {"application/json", "text/plain", "application/reports+json"}


@dataclass(frozen=True, slots=True)
class UnsentReply:
    """A reply before it is sent, so that it can be cut off in the middle."""

    status: int
    reason: str
    body: bytes = b""
    content_type: str = "application/json"
    retry_after: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers it is sent with."""
        headers = {"Content-Type": f"{self.content_type}; charset=utf-8"} if self.body else {}
        return headers if self.retry_after is None else headers | {"Retry-After": self.retry_after}

    def first_half(self) -> bytes:
        """What is sent before the connection is lost: half the headers, or half the body if there is one."""
        lines = [f"{name}: {value}\r\n" for name, value in self.headers().items()]
        status = f"HTTP/1.1 {self.status} {self.reason}\r\n"
        head = (status + "".join(lines) + f"Content-Length: {len(self.body)}\r\n\r\n").encode()
        return head + self.body[: len(self.body) // 2] if self.body else head[: len(head) // 2]


class Unread(Exception):
    """The request holds no events; the reply says why."""

    def __init__(self, reply: UnsentReply) -> None:
        super().__init__(reply.reason)
        self.reply = reply


def posted_events(body: bytes, content_type: str, limit: int, method: str, uri: str) -> list[object]:
    """Return the events of a request, where a single object is one event; raises Unread."""
    if content_type not in CONTENT_TYPES:
        body = b""
    if len(body) > limit:
        raise Unread(_problem("PayloadTooLargeError", "request entity too large", method, uri))
    try:
        events = _parsed(body) if body else []
    except (ValueError, RecursionError) as error:
        raise Unread(_problem("SyntaxError", str(error), method, uri)) from error
    if not events:
        raise Unread(UnsentReply(400, "Request body was empty. Must provide JSON encoded events."))
    return events if isinstance(events, list) else [events]


def _parsed(body: bytes) -> list[object] | dict[str, object]:
    document = json.loads(body.decode(errors="replace"), parse_constant=_no_constant)
    if not isinstance(document, list | dict):
        raise ValueError("neither an array nor an object")  # noqa: TRY004 - the caller's mistake, like any other
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"Unexpected token {name[0]} in JSON")


def _problem(title: str, detail: str, method: str, uri: str) -> UnsentReply:
    """How EventGate's service framework answers an exception: always with 500, even for a mistake of the caller."""
    document = {
        "status": 500,
        "type": "internal_error",
        "title": title,
        "detail": detail,
        "method": method,
        "uri": uri,
    }
    return UnsentReply(500, HTTPStatus(500).phrase, encode(document).encode())


def hasty(count: int) -> UnsentReply:
    """The reply to a hasty request, which does not wait until its events are taken."""
    return UnsentReply(202, f"{count} events hastily received.")


def outage(failures: Failures) -> UnsentReply:
    """The reply of the proxy before EventGate when EventGate does not answer."""
    status = failures.status
    reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
    return UnsentReply(
        status, reason, b"upstream connect error or disconnect/reset before headers", "text/plain", failures.retry_after
    )


def answer(judged: Sequence[JudgedEvent]) -> UnsentReply:
    """The reply that says what became of each event; events that were taken are not listed in it."""
    total = len(judged)
    invalid = [each.entry() for each in judged if each.status == "invalid"]
    errors = [each.entry() for each in judged if each.status == "error"]
    failed = len(invalid) + len(errors)
    if not failed:
        return UnsentReply(201, f"All {total} out of {total} events were accepted.")
    if len(invalid) == total:
        reason = f"{total} out of {total} events were invalid and not accepted."
        return UnsentReply(400, reason, encode({"invalid": invalid}).encode())
    kinds = f"({len(invalid)} invalid and {len(errors)} errored)"
    body = encode({"invalid": invalid, "error": errors}).encode()
    if failed < total:
        return UnsentReply(
            207, f"{total - failed} out of {total} events were accepted, but {failed} failed {kinds}.", body
        )
    return UnsentReply(500, f"{failed} out of {total} events had failures and were not accepted. {kinds}.", body)
