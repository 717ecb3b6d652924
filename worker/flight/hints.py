"""One subscription for all who wait in a process: hints that something ended, by the names of channels.

A hint may be lost, as everywhere in single flight: whoever waits also looks again now and then.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from redis import RedisError
from redis.asyncio import Redis as AsyncRedis

from worker.flight.redis_tier import LONGEST_LISTEN_SECONDS
from worker.flight.tiers import Listen

#: Seconds to wait for the confirmation of a subscription; without it hints may be lost, and later looks find the end.
CONFIRM_SECONDS = 1.0
#: What a broken connection raises; the last is uvloop's word for one that the other end has reset.
BROKEN = (RedisError, OSError, RuntimeError)
#: Seconds of reading before we look whether anybody still listens.
READ_SECONDS = 5.0


class Hints:
    """Hears of ends on any number of channels through one connection; used in one event loop."""

    def __init__(self, connect: Callable[[], AsyncRedis]) -> None:
        self._connect = connect
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._confirmed: dict[str, asyncio.Event] = {}
        self._redis: AsyncRedis | None = None
        self._channel: Any = None
        #: The channel that somebody reads, and all who read: who reads a broken one may still be closing it.
        self._read_channel: Any = None
        self._reading: set[asyncio.Task[None]] = set()
        #: What is no longer used, and to be closed.
        self._dropped: list[Any] = []
        #: One command at a time: for two at once the client would connect twice.
        self._speaking = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def listening(self, names: Collection[str]) -> AsyncIterator[Listen]:
        """Hear of *names* from here on; look once inside, since something may have ended before."""
        heard = asyncio.Event()
        new = [name for name in names if not self._waiting.get(name)]
        for name in names:
            self._waiting[name].add(heard)
        try:
            await self._subscribe(new)
            await self._until_confirmed(names)

            async def listen(seconds: float) -> None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), min(seconds, LONGEST_LISTEN_SECONDS))
                heard.clear()

            yield listen
        finally:
            await self._leave(names, heard)

    async def close(self) -> None:
        reading = list(self._reading)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        await self._drop()

    async def _subscribe(self, names: Collection[str]) -> None:
        if not names:
            return
        for name in names:
            self._confirmed[name] = asyncio.Event()
        async with self._speaking:
            try:
                if self._channel is None:
                    self._redis = self._connect()
                    self._channel = self._redis.pubsub()
                    names = list(self._waiting)
                    for name in names:
                        # The last connection may have broken off after we had asked for some of them.
                        self._confirmed.setdefault(name, asyncio.Event())
                await self._channel.subscribe(*names)
                if self._read_channel is not self._channel:
                    self._read_channel = self._channel
                    task = asyncio.create_task(self._read(self._channel))
                    self._reading.add(task)
                    task.add_done_callback(self._reading.discard)
            except BROKEN:
                await self._drop()

    async def _until_confirmed(self, names: Collection[str]) -> None:
        confirmations = [self._confirmed[name] for name in names if name in self._confirmed]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONFIRM_SECONDS):
                for confirmation in confirmations:
                    await confirmation.wait()

    async def _leave(self, names: Collection[str], heard: asyncio.Event) -> None:
        for name in names:
            self._waiting[name].discard(heard)
            if not self._waiting[name]:
                del self._waiting[name]
                self._confirmed.pop(name, None)
        async with self._speaking:
            # Somebody may have come meanwhile who waits for one of them.
            left = [name for name in names if name not in self._waiting]
            if left and self._channel is not None:
                with contextlib.suppress(*BROKEN):
                    await self._channel.unsubscribe(*left)

    async def _read(self, channel: Any) -> None:
        try:
            while channel is self._channel:
                self._hear(await channel.get_message(timeout=READ_SECONDS))
        except BROKEN:
            # The connection broke off: all waiters look by themselves, and the next one connects anew.
            if channel is self._channel:
                await self._drop()
        finally:
            if channel is self._read_channel:
                self._read_channel = None

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        name = message["channel"].decode()
        if message["type"] == "subscribe" and name in self._confirmed:
            self._confirmed[name].set()
        if message["type"] == "message":
            for heard in self._waiting.get(name, ()):
                heard.set()

    async def _drop(self) -> None:
        self._dropped += [each for each in (self._channel, self._redis) if each is not None]
        self._channel = self._redis = None
        self._confirmed.clear()
        for events in self._waiting.values():
            for heard in events:
                heard.set()
        for each in tuple(self._dropped):
            # Whoever closes it may be cancelled meanwhile; then the next one does.
            with contextlib.suppress(*BROKEN):
                await each.aclose()
            if each in self._dropped:
                self._dropped.remove(each)
