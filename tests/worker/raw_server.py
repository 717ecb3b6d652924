"""A scoring endpoint that may say anything: raw bytes for each request, and a record of what was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Thread


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


#: All at once, bit by bit, or (None) nothing until the client hangs up.
RawReply = bytes | AsyncIterator[bytes] | None


@dataclass(slots=True)
class RawServer:
    """Listens on a free loopback port; a function turns each request into the bytes that go back."""

    reply: Callable[[Request], RawReply]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    #: Bytes that clients took.
    sent: int = 0
    _conversations: "dict[asyncio.StreamWriter, asyncio.Task[None]]" = field(default_factory=dict)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a conversation."""
        self._conversations[writer] = asyncio.create_task(self._converse(reader, writer))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, target, _ = head[0].split(" ")
            request = Request(method, target, headers, body)
            self.requests.append(request)
            reply = self.reply(request)
            if reply is None:
                await reader.read()
                return
            async for part in _parts(reply):
                writer.write(part)
                await writer.drain()
                self.sent += len(part)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def hang_up(self) -> None:
        """End all conversations, also those that have not begun, or whose client does not read what it was sent."""
        # Those who were taken just now are told so in the next rounds of the loop, and closed in the last ones.
        for _ in range(3):
            await asyncio.sleep(0)
        for writer, conversation in self._conversations.items():
            conversation.cancel()
            writer.transport.abort()
        await asyncio.gather(*self._conversations.values(), return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)


async def _parts(reply: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(reply, bytes):
        yield reply
        return
    async for part in reply:
        yield part


@asynccontextmanager
async def raw_server(reply: Callable[[Request], RawReply], port: int = 0) -> AsyncIterator[RawServer]:
    """Serve inside the running event loop."""
    server = RawServer(reply)
    listener = await asyncio.start_server(server.take, "127.0.0.1", port)
    host, port = listener.sockets[0].getsockname()
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        # A connection that is being taken while its listener closes would be left open for ever.
        for each in listener.sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
        await server.hang_up()
        listener.close()
        await listener.wait_closed()


@contextmanager
def raw_server_beside(reply: Callable[[Request], RawReply], port: int = 0) -> Iterator[RawServer]:
    """Serve in a thread, for those who run event loops of their own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    serving = raw_server(reply, port)
    server = asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result()
        # Replies that nobody took to their ends.
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


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
