"""Looks at Redis, many at once: while one MGET is under way, what others want to see is gathered for the next."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import TimeoutError as RedisTimeout

#: Askers whose keys are looked at in one MGET, so that no look holds up Redis for long.
MOST_TOGETHER = 50


class Looks:
    """Values of keys for all who ask in one event loop."""

    def __init__(self, redis: AsyncRedis, *, seconds: float) -> None:
        self._redis = redis
        #: A look that takes longer is given up: each step of a new connection has a time of its own.
        self._seconds = seconds
        self._wanted: list[tuple[Sequence[str], asyncio.Future[list[bytes | None]]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def at(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of *keys*, None for those that are not there.

        Raises:
            RedisError: they could not be read.
        """
        future: asyncio.Future[list[bytes | None]] = asyncio.get_running_loop().create_future()
        self._wanted.append((keys, future))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await future

    async def soon(self, reply: Awaitable[Any]) -> Any:
        """What Redis replies.

        Raises:
            RedisError: it does not, or not in time.
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
                # Who gave up meanwhile is not told.
                if not future.done():
                    future.set_result(values[start : start + len(keys)])
                start += len(keys)
