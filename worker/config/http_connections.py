"""Connections to one server, kept for the next request: the pool and the parser of aiohttp, without its session.

Session, request and response of aiohttp take as long again: for each request they look after cookies, redirects, traces
and timers, which nobody wants here.
"""

import asyncio
import ssl
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from worker.domain.failures import Failure
from worker.domain.storable import storable
from worker.domain.unpacking import Unpacking, UnreadableReply

#: Seconds for which a connection is kept without a request.
KEPT_SECONDS = 5.0
#: Bytes of a reply that are read ahead of who takes them.
READ_AHEAD_BYTES = 64 * 1024
#: Bytes of a reply at most, unless who asks allows more; enough for fifty revisions of a model with sixty-four topics.
LARGEST_REPLY_BYTES = 4 * 1024 * 1024
#: What is larger may have been refused before it was read.
LARGE_REQUEST_BYTES = 32 * 1024
#: Most bytes of a line of a reply's head.
LONGEST_LINE_BYTES = 64 * 1024
#: Whoever asks has one deadline for the whole exchange; one for each part would cost a timer each.
NO_DEADLINES = aiohttp.ClientTimeout()
SWITCHING_PROTOCOLS = 101


class NoReplyError(Exception):
    """There is no reply, or its content can't be read; the text says why, and *failure* whose fault it may be.

    *is_nonsense*: somebody answered, with what can be no reply.
    """

    def __init__(self, why: str, failure: Failure, *, is_nonsense: bool = False) -> None:
        super().__init__(why)
        self.failure = failure
        self.is_nonsense = is_nonsense


class _ClosedMeanwhileError(NoReplyError):
    """The connection was kept after an earlier reply, and is closed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of any status, with its whole content."""

    status: int
    #: What its first line says of the status; may be empty.
    reason: str
    content: bytes
    _headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """The first header called *name*, in any case; empty without one. Bytes that are no text are question marks."""
        return self._headers.get(name, "").encode(errors="replace").decode()


class Connections:
    """Exchanges requests for replies with the server at *url*, over at most so many connections at once.

    Made inside the event loop that will use it.
    """

    def __init__(self, url: str, trusted: ssl.SSLContext, most: int, proxy: str | None) -> None:
        self._pool = aiohttp.TCPConnector(limit=most, ssl=trusted, keepalive_timeout=KEPT_SECONDS)
        address, way = URL(url), None if proxy is None else URL(proxy)
        #: Those that have carried a reply.
        self._kept: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()
        #: Without a session nobody else says whose the connections are; it is never sent.
        self._whose = aiohttp.ClientRequest("GET", address, proxy=way and way.with_user(None))
        self.host = address.host_port_subcomponent or ""
        self._before_path, self._for_proxy = "", ""
        if way is None:
            return
        its_header = _authorization(way)
        if self._whose.is_ssl():
            # The pool adds the host to these, and would not find what it keeps by them if it were not there before.
            self._whose.update_proxy(way.with_user(None), None, {"Host": self.host, **its_header})
        else:
            self._before_path = f"{address.scheme}://{self.host}"
            self._for_proxy = "".join(f"{name}: {value}\r\n" for name, value in its_header.items())

    async def close(self) -> None:
        await self._pool.close()

    async def exchange(
        self, method: str, target: str, headers: str, body: bytes = b"", *, largest: int = LARGEST_REPLY_BYTES
    ) -> Reply:
        """Send one request, and return its reply, of at most *largest* bytes.

        *target* is path and query; *headers* are lines with their ends. It is sent again if it met a connection that
        was kept and is closed: to ask for a score changes nothing, and an event that comes twice has the same id.

        Raises:
            NoReplyError: there is none.
        """
        line = f"{method} {self._before_path}{target} HTTP/1.1\r\n"
        request = f"{line}{headers}{self._for_proxy}\r\n".encode("ascii") + body
        with suppress(_ClosedMeanwhileError):
            return await self._exchange(request, largest)
        return await self._exchange(request, largest)

    async def _exchange(self, request: bytes, largest: int) -> Reply:
        connection, transport, protocol = await self._connection()
        try:
            reply = await _over(transport, protocol, request, largest)
        except BaseException as error:
            # What comes in later must not be taken for another reply.
            _cut(connection, transport)
            if isinstance(error, aiohttp.ClientConnectionError):
                # An endpoint that breaks off may do so because of what was asked.
                kind = _ClosedMeanwhileError if protocol in self._kept else NoReplyError
                raise kind(_words(error), Failure.LATE) from error
            raise
        if transport.get_write_buffer_size() or (reply.status >= 300 and len(request) > LARGE_REQUEST_BYTES):
            # It may have replied before it had read all, as to what is too large, and never read the rest. What the
            # kernel or TLS still holds of that is not counted.
            _cut(connection, transport)
        else:
            self._kept.add(protocol)
            connection.release()
        return reply

    async def _connection(self) -> tuple[Connection, asyncio.Transport, ResponseHandler]:
        """One over which nothing has come but replies."""
        while True:
            try:
                connection = await self._pool.connect(self._whose, [], NO_DEADLINES)
            except (aiohttp.ClientError, ValueError) as error:
                raise NoReplyError(_unreached(error), Failure.OUTAGE) from error
            transport, protocol = connection.transport, connection.protocol
            if transport is None or protocol is None:
                connection.close()
                raise _ClosedMeanwhileError("the connection is closed", Failure.LATE)
            if protocol not in self._kept or not protocol.should_close:
                return connection, transport, protocol
            # Something came while nothing was asked, such as a balancer's 408; it would be taken for the next reply.
            _cut(connection, transport)


def _cut(connection: Connection, transport: asyncio.Transport) -> None:
    """End a connection with what it has not sent.

    Only closed, it would wait until all is sent: with a peer that reads nothing for ever, and so would whoever closes
    the pool.
    """
    transport.abort()
    connection.close()


async def _over(transport: asyncio.Transport, protocol: ResponseHandler, request: bytes, largest: int) -> Reply:
    """Raise ClientConnectionError if the server breaks off before its reply begins."""
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=READ_AHEAD_BYTES,
        max_line_size=LONGEST_LINE_BYTES,
        max_field_size=LONGEST_LINE_BYTES,
    )
    transport.write(request)
    try:
        head, content = await protocol.read()
        while head.code < 200 and head.code != SWITCHING_PROTOCOLS:
            head, content = await protocol.read()
    except HttpProcessingError as error:
        raise NoReplyError(f"this is not HTTP: {_line(error.message)}", Failure.OUTAGE, is_nonsense=True) from error
    try:
        unpacking = Unpacking(",".join(head.headers.getall("Content-Encoding", ())).split(","), largest)
        while not content.at_eof():
            unpacking.take(await content.readany())
        return Reply(head.code, storable(head.reason or ""), unpacking.content(), head.headers)
    except (UnreadableReply, aiohttp.ClientError) as error:
        is_nonsense = isinstance(error, UnreadableReply)
        raise NoReplyError(_words(error), Failure.TRANSIENT, is_nonsense=is_nonsense) from error


def _unreached(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return f"connection refused by {error.host}:{error.port}; start the endpoint, or correct its url"
    return _words(error)


def _words(error: BaseException) -> str:
    # An error of the parser puts a status 400 of its own before its message.
    told = error.__cause__.message if isinstance(error.__cause__, HttpProcessingError) else str(error)
    return _line(told) or type(error).__name__


def _line(text: str) -> str:
    return " ".join(storable(text).split())


def _authorization(proxy: URL) -> dict[str, str]:
    """How we say to *proxy* who we are, if its URL does."""
    if proxy.user is None:
        return {}
    try:
        return {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")}
    except ValueError:
        raise ValueError("its proxy can't be asked by that user, whose name has a colon") from None
