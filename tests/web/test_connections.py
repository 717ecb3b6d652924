"""Connections of clients, byte by byte: what is no HTTP, has no end or does not come, gets the document of an error."""

import asyncio
import gc
import json
import socket
import struct
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from tests.patience import PATIENCE_SECONDS, until
from worker.web.connections import MOST_HEAD_BYTES, HttpProtocol

GET = b"GET /one HTTP/1.1\r\nHost: door\r\n"
POST = b"POST /one HTTP/1.1\r\nHost: door\r\n"
END = b"\r\n"


class Server(HttpProtocol):
    """Counts the bytes that come; it waits as long as a test may take for what comes next."""

    taken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.timeout_keep_alive = PATIENCE_SECONDS
        super().connection_made(transport)
        CONNECTIONS.append(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.taken += len(data)


class Closing(Server):
    """Closes a connection soon after an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive = 1


class Hasty(Server):
    """Does not wait for the rest of a head of which something has come."""

    head_seconds: float = PATIENCE_SECONDS

    def data_received(self, data: bytes) -> None:
        self.head_seconds = 0.2
        super().data_received(data)


class AtOnce(Server):
    """Does not wait for the first byte."""

    head_seconds = 0.2


class LooksEarly(Server):
    """Looks at the time after that of a short head, while the head has more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        assert self._timer is not None
        self._timer.cancel()
        self._timer = self.loop.call_later(0.2, self._look_at_time)


#: Those of the test that runs.
CONNECTIONS: list[Server] = []


async def path_and_body(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        body = await Request(scope, receive).body()
    except ClientDisconnect:
        body = b"broke off"
    await Response(scope["path"].encode() + body, headers={"connection": "keep-alive"})(scope, receive, send)


@asynccontextmanager
async def a_server(protocol: type[HttpProtocol]) -> AsyncIterator[int]:
    CONNECTIONS.clear()
    config = uvicorn.Config(path_and_body, log_config=None, log_level="error", lifespan="off", ws="none")
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for connection in list(state.connections):
            connection.transport.close()


def answer(*pieces: bytes, protocol: type[HttpProtocol] = Server) -> bytes:
    """All that comes back until the server closes the connection, once it has got these *pieces*, one by one."""

    def is_taken(count: int) -> bool:
        return bool(CONNECTIONS) and (CONNECTIONS[0].taken >= count or CONNECTIONS[0].transport.is_closing())

    async def ask() -> bytes:
        async with a_server(protocol) as port, asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            written = 0
            for piece in pieces:
                writer.write(piece)
                written += len(piece)
                await asyncio.to_thread(until, partial(is_taken, written), "a piece to arrive", pause=0.001)
                await asyncio.sleep(0.01)
            try:
                return await reader.read()
            finally:
                writer.close()

    return asyncio.run(ask())


def refusals(reply: bytes) -> list[tuple[int, str]]:
    """Status and code of each document in *reply*."""
    parts = reply.split(b"HTTP/1.1 ")[1:]
    bodies = [(int(part[:3]), json.loads(part.partition(b"\r\n\r\n")[2])) for part in parts]
    return [(status, body["error"]["code"]) for status, body in bodies]


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /v3/scores/👽 HTTP/1.1\r\n\r\n".encode(),
        b"GET /v3/scores/?x=\xff HTTP/1.1\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: two\r\n\r\n{}",
    ],
)
def test_what_is_no_http_is_a_bad_request(request_: bytes) -> None:
    reply = answer(request_)

    assert refusals(reply) == [(400, "bad request")]
    assert b"access-control-allow-origin: *" in reply
    assert b"connection: close" in reply


def test_a_body_that_is_no_http_is_a_bad_request() -> None:
    reply = answer(POST + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n{}\r\n")

    assert refusals(reply) == [(400, "bad request")]


def test_an_answer_that_is_under_way_is_not_mixed_up_with_a_refusal() -> None:
    assert b"bad request" not in answer(POST + b"Content-Length: 9\r\n\r\n123", b"456789hello\r\n\r\n")


@pytest.mark.parametrize(
    "pieces",
    [
        [GET, *[b"X-%d: x\r\n" % number for number in range(20)], b"X: " + b"x" * MOST_HEAD_BYTES],
        [b"GET /" + b"x" * 4096] + [b"x" * 32_768] * 3,
        [GET + END, GET, b"X: " + b"x" * MOST_HEAD_BYTES],
    ],
)
def test_a_head_without_end_is_refused(pieces: Sequence[bytes]) -> None:
    assert answer(*pieces).rpartition(b"HTTP/1.1 ")[2].startswith(b"431 Request Header Fields Too Large")


def test_a_long_head_that_ends_is_read() -> None:
    reply = answer(GET, b"Cookie: " + b"x" * 30_000 + END, b"Connection: close\r\n", END)

    assert reply.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("pieces", [[GET], [GET + END, b"GET /"], [b"G"]])
def test_a_head_that_does_not_come_is_not_waited_for(pieces: Sequence[bytes]) -> None:
    assert answer(*pieces, protocol=Hasty).rpartition(b"HTTP/1.1 ")[2].startswith(b"408 Request Timeout")


def test_a_connection_that_is_kept_for_the_next_request_is_closed_in_its_time_without_a_word() -> None:
    assert answer(GET + END, protocol=Closing).count(b"HTTP/1.1 ") == 1


def test_a_connection_that_is_kept_may_be_used_after_the_time_of_a_head() -> None:
    reply = answer(GET + END, *[b""] * 40, GET + b"Connection: close\r\n\r\n", protocol=LooksEarly)

    assert reply.count(b"HTTP/1.1 200 OK") == 2


def test_nothing_is_left_of_a_connection_that_was_reset() -> None:
    made: list[weakref.ref[HttpProtocol]] = []

    class Noted(HttpProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.timeout_keep_alive = 3600
            made.append(weakref.ref(self))

    async def ask_and_reset() -> None:
        async with a_server(Noted) as port, asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET + END)
            await reader.readuntil(b"/one")
            there = writer.get_extra_info("socket")
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
            while any(each() for each in made):
                gc.collect()
                await asyncio.sleep(0.01)

    asyncio.run(ask_and_reset())


def test_a_connection_on_which_nothing_comes_is_closed_without_a_word() -> None:
    assert answer(protocol=AtOnce) == b""


def test_a_body_has_a_time_of_its_own() -> None:
    reply = answer(POST + b"Connection: close\r\nContent-Length: 60\r\n\r\n", *[b"x"] * 60, protocol=Hasty)

    assert reply.endswith(b"/one" + b"x" * 60)


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
def test_who_would_rather_speak_something_else_is_answered_in_http(
    upgrade: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reply = answer(GET + b"Connection: close, Upgrade\r\nUpgrade: " + upgrade + END + END)

    assert reply.startswith(b"HTTP/1.1 200 OK")
    assert caplog.records == []


def test_requests_that_come_in_one_piece_are_answered_in_their_order() -> None:
    several = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(5))
    reply = answer(several + GET + b"Connection: close\r\n\r\n")

    assert [part.rpartition(b"\r\n\r\n")[2] for part in reply.split(b"HTTP/1.1 ")[1:]] == [
        b"/0",
        b"/1",
        b"/2",
        b"/3",
        b"/4",
        b"/one",
    ]


def test_who_asks_first_whether_to_send_a_body_is_told_to() -> None:
    reply = answer(POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", b"{}")

    assert reply.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert reply.endswith(b"/one{}")


def test_old_http_is_answered_and_the_connection_closed() -> None:
    assert answer(b"GET /old HTTP/1.0\r\n\r\n").endswith(b"/old")
