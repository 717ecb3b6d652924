"""Replies leave in one piece: a head and its body in one write to the socket, where uvicorn makes two.

A write wakes the client up, and costs as much as all that a cached score needs beside it.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class WholeWrites(asyncio.Transport):
    """A transport that writes at the end of the loop's step what it was given during it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        # What is not about writing is the transport's own.
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._parts:
            self._loop.call_soon(self._write)
        self._parts.append(bytes(data))

    def close(self) -> None:
        self._write()
        self._transport.close()

    def _write(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, over whole writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = WholeWrites(transport, self.loop)
