"""Connections to Redis on which connecting, and then each command or pipeline, has one deadline for all of its reply.

redis-py's `socket_timeout` begins anew with every piece of a reply that comes, and with every reply of a pipeline, so a
Redis that drips a byte a second would hold a command for minutes (redis/redis-py #3454). Here that many seconds are
the deadline of the whole. Whoever waits for a message may wait without end, but once it has begun it must come to its
end in as many seconds. Where a deadline is over, the client is told `redis.TimeoutError` and drops the connection.
"""

import asyncio
from math import inf
from time import monotonic
from typing import Any

from redis import Connection, SSLConnection
from redis import TimeoutError as RedisTimeout
from redis._parsers import _HiredisParser
from redis.asyncio import Connection as AsyncConnection
from redis.asyncio import SSLConnection as AsyncSSLConnection
from redis.utils import SENTINEL

from outbox.deadline import SLACK_SECONDS, deadline_in
from worker.config.redis_url import RedisUrl


class RedisParser(_HiredisParser):
    """Reads from its socket until a moment."""

    #: When all must have come, in monotonic seconds; None while what is read has not begun.
    until: float | None = None

    def read_from_socket(self, timeout: Any = SENTINEL, raise_on_timeout: bool = True) -> bool:
        """As redis-py's, which is called for each piece.

        Raises:
            redis.TimeoutError: nothing came in time.
        """
        longest = self._socket_timeout or inf
        reader: Any = self._reader
        if self.until is None and reader is not None and reader.has_data():
            # The beginning came together with the message before.
            self.until = deadline_in(longest)
        # Who asks without waiting is given what is there.
        if self.until is not None and timeout != 0:
            left = self.until - monotonic()
            if left <= 0:
                raise RedisTimeout("Timeout reading from socket")
            # For another time-out the socket is told twice, which what comes soon is spared.
            if left < (longest - SLACK_SECONDS if timeout is SENTINEL else inf):
                timeout = left
        read: bool = super().read_from_socket(timeout, raise_on_timeout)  # type: ignore[no-untyped-call]
        if self.until is None:
            self.until = deadline_in(longest)
        return read


class RedisConnection(Connection):
    """A connection of a client that waits in its thread."""

    _parser: RedisParser
    _is_connecting = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, parser_class=RedisParser)  # type: ignore[no-untyped-call]

    def connect_check_health(
        self,
        check_health: bool = True,
        retry_socket_connect: bool = True,  # noqa: ARG002 - redis-py's signature
    ) -> None:
        if self.is_connected:
            return
        self._parser.until, self._is_connecting = deadline_in(self.socket_timeout), True
        try:
            # Once: who has another try has it for the whole.
            super().connect_check_health(check_health, retry_socket_connect=False)
        finally:
            self._is_connecting = False

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
        if not self._is_connecting:
            self._parser.until = None

    def read_response(self, disable_decoding: bool = False, *, timeout: Any = SENTINEL, **options: Any) -> Any:
        # From here and not from the sending on: kombu sends a BRPOP, and reads when its reply has begun.
        if timeout is not SENTINEL:
            self._parser.until = None if timeout is None else deadline_in(timeout)
        elif self._parser.until is None:
            self._parser.until = deadline_in(self.socket_timeout)
        return super().read_response(disable_decoding, timeout=timeout, **options)


class RedisTlsConnection(RedisConnection, SSLConnection):
    """The same, encrypted."""


class AsyncRedisConnection(AsyncConnection):
    """A connection in an event loop, where redis-py gives each reply one deadline; here connecting has one, too."""

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        if self.is_connected:
            return
        try:
            async with asyncio.timeout(self.socket_connect_timeout):
                await super().connect_check_health(check_health, retry_socket_connect)
        except TimeoutError as error:
            await self.disconnect(nowait=True)
            raise RedisTimeout("Timeout connecting to server") from error


class AsyncRedisTlsConnection(AsyncRedisConnection, AsyncSSLConnection):
    """The same, encrypted."""


def connection_class(url: RedisUrl) -> type[RedisConnection]:
    """What a client of the Redis at *url* connects with."""
    return RedisTlsConnection if url.tls else RedisConnection


def async_connection_class(url: RedisUrl) -> type[AsyncRedisConnection]:
    """What a client in an event loop connects with."""
    return AsyncRedisTlsConnection if url.tls else AsyncRedisConnection
