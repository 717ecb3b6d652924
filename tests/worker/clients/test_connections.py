"""Connections to an endpoint: which are kept, what goes over them, through proxies and TLS too, and what never does."""

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from worker.config.http_connections import LARGEST_REPLY_BYTES, Connections, NoReplyError
from worker.config.http_routes import DIRECT
from worker.domain.failures import Failure
from worker.lanes.names import NamingLoop

#: Key and certificate of 127.0.0.1, signed by itself; good for nothing else.
LOOPBACK = Path(__file__).parent / "loopback.pem"
HEADERS = "Host: scores.test\r\n"


def reply_of(text: str, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(text)}", "", text]).encode()


#: Says what to send after so many requests on one connection, and whether to go on with it.
Script = Callable[[int, str], tuple[bytes, bool]]


def one_after_the_other(_number: int, head: str) -> tuple[bytes, bool]:
    """Reply with the path that was asked for, and keep the connection."""
    return reply_of(head.split(" ")[1]), True


@dataclass(slots=True)
class KeptServer:
    """Takes requests without a body, several on a connection; *script* says what to reply."""

    script: Script = one_after_the_other
    #: By connection, the heads of its requests.
    heads: list[list[str]] = field(default_factory=list)
    address: str = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[str] = []
        self.heads.append(mine)
        goes_on = True
        try:
            while goes_on:
                mine.append((await reader.readuntil(b"\r\n\r\n")).decode())
                said, goes_on = self.script(len(mine), mine[-1])
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @property
    def all_heads(self) -> list[str]:
        return [head for of_one in self.heads for head in of_one]


@dataclass(slots=True)
class Tunnel:
    """A proxy that is asked with CONNECT for a way to the endpoint, and refuses it with *refusal*, if any."""

    refusal: bytes = b""
    asked: list[str] = field(default_factory=list)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        if self.refusal:
            writer.write(self.refusal)
        else:
            host, _, port = head.split(" ")[1].partition(":")
            there, back = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()


def exchanged(
    server: KeptServer,
    work: Callable[[Connections], Awaitable[object]],
    *,
    url: str = "http://{}",
    trusted: ssl.SSLContext | None = None,
    proxy: "KeptServer | Tunnel | None" = None,
) -> None:
    """Do *work* with connections to *server* at *url*, which has its address for `{}`, through *proxy*."""

    async def both() -> None:
        identity = None
        if url.startswith("https:"):
            identity = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            identity.load_cert_chain(LOOPBACK)
        listener = await asyncio.start_server(server.take, "127.0.0.1", 0, ssl=identity)
        server.address = "{}:{}".format(*listener.sockets[0].getsockname())
        listeners, way = [listener], None
        if proxy is not None:
            listeners.append(await asyncio.start_server(proxy.take, "127.0.0.1", 0))
            way = "http://me:s%40cret@{}:{}".format(*listeners[1].sockets[0].getsockname())
        connections = Connections(url.format(server.address), trusted or DIRECT.tls(), 4, way)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await work(connections)
        finally:
            await connections.close()
            for each in listeners:
                each.close()
            # Those who serve see the end of their connections in the next rounds of the loop.
            serving = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(serving or {asyncio.ensure_future(asyncio.sleep(0))}, timeout=PATIENCE_SECONDS)

    # The loop that the worker has.
    with asyncio.Runner(loop_factory=NamingLoop) as runner:
        runner.run(both())


def failure_of(server: KeptServer, method: str = "GET", **ways: Any) -> NoReplyError:
    raised: list[NoReplyError] = []

    async def work(connections: Connections) -> None:
        with pytest.raises(NoReplyError) as error:
            await connections.exchange(method, "/1", HEADERS)
        raised.append(error.value)

    exchanged(server, work, **ways)
    return raised[0]


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=LOOPBACK)


async def asks_twice(connections: Connections) -> None:
    for path in ("/1", "/2"):
        assert (await connections.exchange("GET", path, HEADERS)).content == path.encode()


def test_a_connection_is_kept_for_the_next_request() -> None:
    server = KeptServer()
    exchanged(server, asks_twice)
    assert [len(of_one) for of_one in server.heads] == [2]


def test_requests_at_once_have_a_connection_each_and_no_more_than_allowed() -> None:
    server = KeptServer()

    async def work(connections: Connections) -> None:
        paths = [f"/{number}" for number in range(40)]
        replies = await asyncio.gather(*(connections.exchange("GET", path, HEADERS) for path in paths))
        assert [reply.content.decode() for reply in replies] == paths

    exchanged(server, work)
    assert len(server.heads) == 4


def test_a_request_is_sent_as_it_is_given_and_nothing_of_an_earlier_reply_with_it() -> None:
    def sets_a_cookie(_number: int, _head: str) -> tuple[bytes, bool]:
        return reply_of("", "Set-Cookie: session=1; Path=/", "Alt-Svc: h2"), True

    server = KeptServer(sets_a_cookie)

    async def work(connections: Connections) -> None:
        for _ in range(2):
            await connections.exchange("GET", "/a?b=%7C", HEADERS)

    exchanged(server, work)
    assert server.all_heads == [f"GET /a?b=%7C HTTP/1.1\r\n{HEADERS}\r\n"] * 2


@pytest.mark.parametrize(
    "said",
    [
        reply_of("yes", "Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\n\r\nyes",
        # More than was promised would be taken for the beginning of the next reply.
        reply_of("yes") + reply_of("no"),
    ],
)
def test_a_connection_that_ends_with_its_reply_is_not_used_again(said: bytes) -> None:
    server = KeptServer(lambda _number, _head: (said, b"Content-Length" in said))

    async def work(connections: Connections) -> None:
        for _ in range(2):
            assert (await connections.exchange("POST", "/", HEADERS)).content == b"yes"

    exchanged(server, work)
    assert [len(of_one) for of_one in server.heads] == [1, 1]


def test_what_comes_before_the_reply_is_not_the_reply() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    server = KeptServer(lambda _number, head: (early + reply_of(head.split(" ")[1]), True))
    exchanged(server, asks_twice)
    assert [len(of_one) for of_one in server.heads] == [2]


def test_a_reply_that_nobody_waits_for_any_more_is_no_other_requests_reply() -> None:
    asked = asyncio.Event()

    def late_once(_number: int, head: str) -> tuple[bytes, bool]:
        asked.set()
        path = head.split(" ")[1]
        return (b"HTTP/1.1 200 OK\r\n" if path == "/late" else reply_of(path)), True

    server = KeptServer(late_once)

    async def work(connections: Connections) -> None:
        late = asyncio.ensure_future(connections.exchange("GET", "/late", HEADERS))
        await asyncio.wait_for(asked.wait(), PATIENCE_SECONDS)
        late.cancel()
        with suppress(asyncio.CancelledError):
            await late
        await asks_twice(connections)

    exchanged(server, work)
    assert [len(of_one) for of_one in server.heads] == [1, 2]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_meets_a_connection_closed_meanwhile_is_sent_again(method: str) -> None:
    """aio-libs/aiohttp issues 7297 and 3609: a server promises to keep a connection, and does not."""

    def closes_before_the_second(number: int, _head: str) -> tuple[bytes, bool]:
        return (b"", False) if number == 2 else (reply_of("yes", "Connection: keep-alive"), True)

    server = KeptServer(closes_before_the_second)

    async def work(connections: Connections) -> None:
        for _ in range(4):
            assert (await connections.exchange(method, "/", HEADERS)).content == b"yes"

    exchanged(server, work)
    assert [len(of_one) for of_one in server.heads] == [2, 2, 2, 1]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_breaks_off_before_a_reply_may_do_so_because_of_the_question(method: str) -> None:
    server = KeptServer(lambda _number, _head: (b"", False))
    assert failure_of(server, method).failure is Failure.LATE
    assert len(server.all_heads) == 1


def test_those_who_give_up_leave_their_places_to_others() -> None:
    """aio-libs/aiohttp issues 1623 and 9670: a limit that was reached, and never left again."""
    may_reply, taken = asyncio.Event(), asyncio.Semaphore(0)

    class Slow(KeptServer):
        async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.release()
            await may_reply.wait()
            await KeptServer.take(self, reader, writer)

    async def work(connections: Connections) -> None:
        asked = [asyncio.ensure_future(connections.exchange("GET", f"/{number}", HEADERS)) for number in range(20)]
        for _ in range(4):
            await taken.acquire()
        for given_up in asked[:18]:
            given_up.cancel()
        may_reply.set()
        assert [reply.content for reply in await asyncio.gather(*asked[18:])] == [b"/18", b"/19"]
        await asks_twice(connections)

    exchanged(Slow(), work)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_reply_that_is_given_up_is_not_read_any_further(scheme: str) -> None:
    """MagicStack/uvloop issue 471: over TLS a connection that is closed is read from for half a minute."""
    sent = 0
    is_cut_off = asyncio.Event()

    class Endless(KeptServer):
        async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with suppress(ConnectionError):
                while not writer.is_closing():
                    writer.write(b" " * 65536)
                    await writer.drain()
                    sent += 65536
            writer.transport.abort()
            is_cut_off.set()

    async def work(connections: Connections) -> None:
        with pytest.raises(NoReplyError, match="can't be right"):
            await connections.exchange("GET", "/", HEADERS)
        await asyncio.wait_for(is_cut_off.wait(), PATIENCE_SECONDS)

    exchanged(Endless(), work, url=f"{scheme}://{{}}", trusted=trusting())
    assert sent < 10 * LARGEST_REPLY_BYTES


def test_the_end_does_not_wait_for_who_says_no_farewell() -> None:
    """aio-libs/aiohttp issue 11091: TLS connections took half a minute to close."""
    farewell = asyncio.Event()

    class Rude(KeptServer):
        async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply_of("yes"))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await farewell.wait()
            writer.transport.abort()

    async def work(connections: Connections) -> None:
        await connections.exchange("GET", "/", HEADERS)
        # Less than the time for which TLS would wait.
        await asyncio.wait_for(connections.close(), 10)
        farewell.set()

    exchanged(Rude(), work, url="https://{}", trusted=trusting())


def test_a_reply_that_breaks_off_is_no_outage() -> None:
    server = KeptServer(lambda _number, _head: (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", False))
    assert failure_of(server).failure is Failure.TRANSIENT


def test_headers_are_found_in_any_case_and_bytes_that_are_no_text_do_no_harm() -> None:
    said = b"HTTP/1.1 429 \xff\r\nretry-AFTER: 7\r\nLocation: /\xff\r\nContent-Length: 0\r\n\r\n"
    server = KeptServer(lambda _number, _head: (said, True))

    async def work(connections: Connections) -> None:
        reply = await connections.exchange("GET", "/", HEADERS)
        found = [reply.header(name) for name in ("Retry-After", "Location", "Content-Type")]
        assert (reply.status, found) == (429, ["7", "/?", ""])

    exchanged(server, work)


def test_tls_is_agreed_on_once_for_several_requests() -> None:
    server = KeptServer()
    exchanged(server, asks_twice, url="https://{}", trusted=trusting())
    assert [len(of_one) for of_one in server.heads] == [2]


def test_an_endpoint_that_nobody_vouches_for_is_sent_nothing() -> None:
    server = KeptServer()
    error = failure_of(server, url="https://{}")
    assert (error.failure, server.all_heads) == (Failure.OUTAGE, [])
    assert "certificate verify failed" in str(error)


def test_a_proxy_is_told_the_whole_address_and_who_we_are() -> None:
    proxy = KeptServer(lambda _number, head: (reply_of("/" + head.split(" ")[1].rpartition("/")[2]), True))
    exchanged(KeptServer(), asks_twice, url="http://scores.invalid:81", proxy=proxy)
    who = base64.b64encode(b"me:s@cret").decode()
    assert proxy.all_heads == [
        f"GET http://scores.invalid:81/{number} HTTP/1.1\r\n{HEADERS}Proxy-Authorization: Basic {who}\r\n\r\n"
        for number in (1, 2)
    ]


def test_a_proxy_before_tls_sees_whose_way_it_is_and_the_endpoint_sees_nothing_of_it() -> None:
    server, proxy = KeptServer(), Tunnel()
    exchanged(server, asks_twice, url="https://{}", trusted=trusting(), proxy=proxy)
    (head,) = proxy.asked
    assert head.startswith(f"CONNECT {server.address} HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:s@cret').decode()}\r\n" in head
    assert server.all_heads == [f"GET /{number} HTTP/1.1\r\n{HEADERS}\r\n" for number in (1, 2)]


def test_a_proxy_that_refuses_the_way_is_an_outage_and_its_password_stands_nowhere() -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    error = failure_of(KeptServer(), url="https://{}", trusted=trusting(), proxy=Tunnel(refusal))
    assert error.failure is Failure.OUTAGE
    assert "407" in str(error)
    assert "cret" not in f"{error}{error.__cause__!r}"


@pytest.mark.parametrize("size", [20_000_000, 3_000_000, 100_000])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_refuses_a_large_request_before_it_is_read_gets_the_next_one_on_another_connection(
    scheme: str, size: int
) -> None:
    class Hasty(KeptServer):
        async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heads.append([(await reader.readuntil(b"\r\n\r\n")).decode()])
            writer.write(reply_of("too large").replace(b"200 OK", b"413 -"))
            await replied_twice.wait()
            writer.transport.abort()

    replied_twice = asyncio.Event()
    server = Hasty()

    async def work(connections: Connections) -> None:
        for _ in range(2):
            reply = await connections.exchange("POST", "/", HEADERS, b" " * size)
            assert reply.content == b"too large"
        replied_twice.set()

    exchanged(server, work, url=f"{scheme}://{{}}", trusted=trusting())
    assert [len(of_one) for of_one in server.heads] == [1, 1]


def test_a_reply_that_nobody_asked_for_is_not_taken_for_that_of_the_next_request() -> None:
    """aio-libs/aiohttp issue 13656; balancers say 408 so before they close a connection that was idle."""
    is_kept = asyncio.Event()

    class Talkative(KeptServer):
        async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heads.append([(await reader.readuntil(b"\r\n\r\n")).decode()])
            writer.write(reply_of("asked for"))
            await is_kept.wait()
            writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            await reader.read()
            writer.close()

    server = Talkative()

    async def work(connections: Connections) -> None:
        await asyncio.gather(*(connections.exchange("GET", "/", HEADERS) for _ in range(4)))
        is_kept.set()
        while not all(protocol.should_close for protocol in connections._kept):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0)
        assert (await connections.exchange("GET", "/", HEADERS)).content == b"asked for"

    exchanged(server, work)
    assert len(server.heads) == 4 + 1


def test_a_request_that_nobody_reads_is_given_up_with_its_connection_and_the_loop_ends() -> None:
    """Closed and not cut off, a connection waits until its peer has read the rest, and uvloop's loop for it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        url = "http://{}:{}".format(*deaf.getsockname())

        async def ask() -> None:
            connections = Connections(url, DIRECT.tls(), 1, None)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connections.exchange("POST", "/", HEADERS, b" " * 20_000_000)
            await connections.close()

        def run() -> None:
            with asyncio.Runner(loop_factory=NamingLoop) as runner:
                runner.run(ask())

        asking = threading.Thread(target=run, daemon=True)
        asking.start()
        asking.join(PATIENCE_SECONDS)
        assert not asking.is_alive()
