"""Connections of clients: uvicorn's own wait without bound, and answer in plain text what is no HTTP.

A head that never ends would be kept in memory, and a connection that sends none would stay open, both without bound.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from worker.web.application import FrontDoor
from worker.web.questions import NO_PARAMETERS
from worker.web.refusals import Refusal
from worker.web.replies import Ready, refused

#: Seconds within which the head of a request must come, from the connection or from its first byte on.
HEAD_SECONDS = 10.0
#: More than a request for 50 revisions needs with a browser's cookies. The piece that exceeds it is still read.
MOST_HEAD_BYTES = 65_536
UNREADABLE = Refusal(400, "The request is no HTTP that could be read. Characters beyond ASCII have to be encoded.")
TOO_LONG = Refusal(431, f"The head of the request is longer than {MOST_HEAD_BYTES} bytes.")
TOO_LATE = Refusal(408, f"The head of the request did not come within {HEAD_SECONDS:g} seconds.")


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP with bounds for the heads of requests, and one timer a connection instead of two a request.

    What the front door can answer without a task is written here, head and body in one piece.
    """

    head_seconds = HEAD_SECONDS
    _is_in_head = False
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None
    #: When the connection is closed, by the loop's clock; None while a request is worked on.
    _until: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        # Also after a reset: a timer that is left holds all that belongs to the connection.
        self._until = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_in_head = self._is_in_head
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(TOO_LONG)
            elif not was_in_head:
                self._wait(self.head_seconds)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._is_in_head, self._until = False, None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._is_in_head:
            self._wait(self.timeout_keep_alive)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        def tell(ready: Ready | None) -> None:
            if ready is None:
                begin(cycle, app)
            elif not (cycle.disconnected or self.transport.is_closing()):
                self._write(cycle, ready)

        begin = super()._start_asgi_task
        is_for_it = isinstance(app, FrontDoor) and not self.flow.write_paused
        if not (is_for_it and app.take(cycle.scope, tell)):
            begin(cycle, app)

    def _write(self, cycle: RequestResponseCycle, ready: Ready) -> None:
        """Write a whole reply at once; uvicorn's cycle of a request does so from two messages."""
        lines = [STATUS_LINE[200], *(b"%b: %b\r\n" % header for header in cycle.default_headers), ready.head]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join([*lines, b"\r\n", ready.body]))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the same at each call
        self._refuse(UNREADABLE)

    def _unsupported_upgrade_warning(self) -> None:
        """No warning: the request is answered as if it asked for no upgrade."""

    def _unset_keepalive_if_required(self) -> None:
        """Nothing: the timer here allows each request its own time."""

    def _wait(self, seconds: float) -> None:
        """Close the connection after *seconds*, unless something comes before."""
        self._until = self.loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= self._until:
                return
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._until is None:
            return
        left = self._until - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look_at_time)
        elif self._is_in_head:
            self._refuse(TOO_LATE)
        else:
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        # Nothing may be mixed into an answer that is under way, nor stand for that of an earlier request.
        is_answering = bool(self.cycle) and not self.cycle.response_complete
        if is_answering and not self.cycle.response_started and not self._is_in_head:
            is_answering, self.cycle.disconnected = False, True
        if not is_answering:
            response = refused(refusal, NO_PARAMETERS)
            lines = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode()]
            lines += [name + b": " + value for name, value in response.raw_headers if name != b"connection"]
            self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", bytes(response.body)]))
        self.transport.close()
