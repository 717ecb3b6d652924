"""Each reply is one write to the socket, head and body together; uvicorn makes two.

A write wakes the client, and costs as much as everything else that a cached score needs.
"""

import asyncio


class WholeWrites(asyncio.Transport):
    """A transport that collects what it is given during a step of the loop, and writes it at the end."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        # Everything else is done by the transport itself.
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
