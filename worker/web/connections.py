"""Connections of clients, where uvicorn's own are too patient, and answer in plain text what is no HTTP.

A head that never ends would be kept in memory, and a connection that sends none would stay open, both without bound.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from worker.web.questions import NO_PARAMETERS
from worker.web.refusals import Refusal
from worker.web.replies import refused
from worker.web.writing import WholeWrites

#: For the head of a request to come, from the first connection or byte on.
HEAD_SECONDS = 10.0
#: More than 50 revisions and a browser's cookies need; some more may come in one piece.
MOST_HEAD_BYTES = 65_536
UNREADABLE = Refusal(400, "The request is no HTTP that could be read. Characters beyond ASCII have to be encoded.")
TOO_LONG = Refusal(431, f"The head of the request is longer than {MOST_HEAD_BYTES} bytes.")
TOO_LATE = Refusal(408, f"The head of the request did not come within {HEAD_SECONDS:g} seconds.")


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP over whole writes, with bounds for the heads of requests."""

    head_seconds = HEAD_SECONDS
    _is_in_head = True
    _head_bytes = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = WholeWrites(transport, self.loop)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(TOO_LONG)
            elif self._late is None:
                self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._is_in_head, self._head_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the same at each call
        self._refuse(UNREADABLE)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing of it: the request is answered as it is."""

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if self._head_bytes:
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
