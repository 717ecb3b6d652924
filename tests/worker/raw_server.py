"""A scoring endpoint that may say anything: raw bytes for each request, and a record of what was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class RawServer:
    """Listens on a free loopback port; a function turns each request into the bytes that go back."""

    #: None: no reply until the client hangs up.
    reply: Callable[[Request], bytes | None]
    url: str = ""
    requests: list[Request] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(head[0].split(" ")[1], headers, body)
            self.requests.append(request)
            reply = self.reply(request)
            if reply is None:
                await reader.read()
            else:
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(reply: Callable[[Request], bytes | None]) -> AsyncIterator[RawServer]:
    """Serve inside the running event loop."""
    server = RawServer(reply)
    listener = await asyncio.start_server(server.converse, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    server.url = f"http://{host}:{port}"
    async with listener:
        yield server


def http(status: int, body: bytes, *, length: int | None = None, encoding: str = "identity") -> bytes:
    """A JSON reply; with *length* it promises more or fewer bytes than it has."""
    promised = len(body) if length is None else length
    head = [
        f"HTTP/1.1 {status} -",
        "Content-Type: application/json",
        f"Content-Encoding: {encoding}",
        f"Content-Length: {promised}",
        "Connection: close",
        "",
        "",
    ]
    return "\r\n".join(head).encode() + body
