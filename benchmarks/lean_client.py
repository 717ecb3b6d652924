"""An HTTP client that costs little beside the server that it measures: each reply is read as one piece."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence

import uvloop

CONNECTIONS = 16
MOST_BYTES = 1 << 20


class RefusedError(RuntimeError):
    """The server gave no 200, or closed the connection."""


class _Connection(asyncio.Protocol):
    """Asks for one path after the other; all connections take from the same *left*."""

    def __init__(self, left: Iterator[bytes]) -> None:
        self._left = left
        self._reply = b""
        self._transport: asyncio.Transport
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._reply += data
        try:
            if _is_whole(self._reply):
                self._reply = b""
                self._ask()
        except RefusedError as error:
            self.over.set_exception(error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or RefusedError("closed by the server"))

    def _ask(self) -> None:
        request = next(self._left, None)
        if request is None:
            self.over.set_result(None)
            self._transport.close()
        else:
            self._transport.write(request)


def seconds_of(port: int, paths: Sequence[str]) -> float:
    """How long *paths* take over some connections that are kept; each has to be answered with 200."""

    async def ask() -> float:
        loop, left = asyncio.get_running_loop(), iter([_request(path) for path in paths])
        began = time.perf_counter()
        made = [
            (await loop.create_connection(lambda: _Connection(left), "127.0.0.1", port))[1]
            for _ in range(min(CONNECTIONS, len(paths)))
        ]
        await asyncio.gather(*(connection.over for connection in made))
        return time.perf_counter() - began

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask())


def asked(connection: socket.socket, path: str) -> float:
    """Seconds until *path* was answered with 200."""
    began = time.perf_counter()
    connection.sendall(_request(path))
    reply = b""
    while not _is_whole(reply):
        more = connection.recv(MOST_BYTES)
        if not more:
            raise RefusedError("closed by the server")
        reply += more
    return time.perf_counter() - began


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _is_whole(reply: bytes) -> bool:
    """Whether all of a reply is there; its head comes in one piece."""
    end = reply.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not reply.startswith(b"HTTP/1.1 200"):
        raise RefusedError(reply[:200].decode(errors="replace"))
    start = reply.find(b"content-length: ") + len(b"content-length: ")
    return len(reply) >= end + 4 + int(reply[start : reply.find(b"\r", start)])
