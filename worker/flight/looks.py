"""Looks at Redis, many at once: while one MGET is under way, the keys of later callers are gathered for the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeout

Values = list[bytes | None]
#: Told the values, or why there are none.
Tell = Callable[[Values | Exception], None]

#: Callers whose keys one MGET reads at most, so that no look holds up Redis for long.
MOST_TOGETHER = 50
_KINDS = frozenset({bytes, type(None)})


class Looks:
    """Values of keys, for all callers in one event loop."""

    def __init__(self, redis: AsyncRedis, *, seconds: float) -> None:
        self._redis = redis
        #: Seconds after which a look is given up as a whole: each step of a new connection has a time-out of its own.
        self._seconds = seconds
        self._wanted: list[tuple[Sequence[str], Tell]] = []
        self._looking: asyncio.Task[None] | None = None

    async def at(self, keys: Sequence[str]) -> Values:
        """The values of *keys*; None for those that do not exist.

        Raises:
            RedisError: they could not be read.
        """
        future: asyncio.Future[Values] = asyncio.get_running_loop().create_future()

        def tell(values: Values | Exception) -> None:
            # A caller that gave up meanwhile gets nothing.
            if future.done():
                return
            if isinstance(values, Exception):
                future.set_exception(values)
            else:
                future.set_result(values)

        self.ask(keys, tell)
        return await future

    def ask(self, keys: Sequence[str], tell: Tell) -> None:
        """Have *tell* called with the values of *keys*, later."""
        self._wanted.append((keys, tell))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def soon(self, command: Callable[[], Awaitable[Any]]) -> Any:
        """The reply of Redis to *command*, which may be sent twice.

        Raises:
            RedisError: there is none, or it is late.
        """
        try:
            async with asyncio.timeout(self._seconds):
                try:
                    return await command()
                except RuntimeError as error:
                    # What uvloop says when the other end has reset a connection; the client knows asyncio's words only,
                    # and would not connect anew.
                    if "closed" not in str(error):
                        raise
                return await command()
        except TimeoutError as error:
            raise RedisTimeout(f"no reply within {self._seconds:g} s") from error

    async def close(self) -> None:
        """Give up the look under way: as soon as its connection is closed it would open another one."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _values(self, keys: list[str]) -> Values:
        values: Any = await self.soon(lambda: self._redis.mget(keys))
        if isinstance(values, list) and len(values) == len(keys) and _KINDS.issuperset(map(type, values)):
            return cast("Values", values)
        # Something else has come between; whatever follows on that connection would belong to other keys.
        await self._redis.connection_pool.disconnect()
        raise InvalidResponse(f"the reply to MGET does not fit its {len(keys)} keys")

    async def _look(self) -> None:
        while self._wanted:
            # Callers in the same step of the loop share this look; under load that makes looks twice as large.
            await asyncio.sleep(0)
            taken, self._wanted = self._wanted[:MOST_TOGETHER], self._wanted[MOST_TOGETHER:]
            try:
                values = await self._values([key for keys, _ in taken for key in keys])
            except Exception as error:  # noqa: BLE001 - those who asked have to hear of it, whatever it is
                for _, tell in taken:
                    _tell(tell, error)
                continue
            start = 0
            for keys, tell in taken:
                _tell(tell, values[start : start + len(keys)])
                start += len(keys)


def _tell(tell: Tell, values: Values | Exception) -> None:
    """Call *tell* at once, so that replies are on their way before the next look; its error is nobody else's."""
    try:
        tell(values)
    except Exception as error:  # noqa: BLE001 - the loop logs it
        asyncio.get_running_loop().call_exception_handler({"message": "values were not taken", "exception": error})
