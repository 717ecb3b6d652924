"""Looks at Redis, many at once: while one MGET is under way, the keys of later callers are gathered for the next."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import TimeoutError as RedisTimeout

#: Callers whose keys one MGET reads at most, so that no look holds up Redis for long.
MOST_TOGETHER = 50


class Looks:
    """Values of keys, for all callers in one event loop."""

    def __init__(self, redis: AsyncRedis, *, seconds: float) -> None:
        self._redis = redis
        #: Seconds after which a look is given up as a whole: each step of a new connection has a time-out of its own.
        self._seconds = seconds
        self._wanted: list[tuple[Sequence[str], asyncio.Future[list[bytes | None]]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def at(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of *keys*; None for those that do not exist.

        Raises:
            RedisError: they could not be read.
        """
        future: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self._wanted.append((keys, future))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await future

    async def soon(self, reply: Awaitable[Any]) -> Any:
        """The reply of Redis.

        Raises:
            RedisError: there is none, or it is late.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await reply
        except TimeoutError as error:
            raise RedisTimeout(f"no reply within {self._seconds:g} s") from error

    async def _look(self) -> None:
        while self._wanted:
            taken, self._wanted = self._wanted[:MOST_TOGETHER], self._wanted[MOST_TOGETHER:]
            try:
                values = await self.soon(self._redis.mget([key for keys, _ in taken for key in keys]))
            except Exception as error:  # noqa: BLE001 - those who asked have to hear of it, whatever it is
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                continue
            start = 0
            for keys, future in taken:
                # Callers that gave up meanwhile get nothing.
                if not future.done():
                    future.set_result(values[start : start + len(keys)])
                start += len(keys)
