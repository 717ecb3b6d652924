"""One subscription for all who wait: hints are heard by everybody they are for, whatever becomes of the connection."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import PubSub

from tests.patience import PATIENCE_SECONDS
from worker.flight import hints as hints_
from worker.flight.hints import Hints


@pytest.fixture(autouse=True)
def never_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks without a hint, nor goes on without a confirmation, because the machine had no time for one."""
    monkeypatch.setattr(hints_, "LONGEST_LISTEN_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(hints_, "CONFIRM_SECONDS", PATIENCE_SECONDS)


def with_hints(redis_url: str, work: Callable[[Hints], Awaitable[None]]) -> None:
    async def run() -> None:
        silence: dict[str, Any] = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        hints = Hints(lambda: AsyncRedis.from_url(redis_url, **silence))
        try:
            await work(hints)
        finally:
            await hints.close()

    asyncio.run(run())


async def publish(redis: Redis, name: str) -> None:
    await asyncio.to_thread(redis.publish, name, "")


async def hears(hints: Hints, name: str, listening: asyncio.Event) -> bool:
    """Whether a hint comes, once it is *listening*."""
    async with hints.listening([name]) as listen:
        listening.set()
        began = time.monotonic()
        await listen(PATIENCE_SECONDS)
        return time.monotonic() - began < PATIENCE_SECONDS


def test_all_who_come_at_once_hear_each_their_own(redis: Redis, redis_url: str) -> None:
    async def work(hints: Hints) -> None:
        events = [asyncio.Event() for _ in range(30)]
        waiting = [
            asyncio.create_task(hears(hints, f"name-{number % 10}", event)) for number, event in enumerate(events)
        ]
        await asyncio.gather(*(event.wait() for event in events))
        for number in range(10):
            await publish(redis, f"name-{number}")
        assert all(await asyncio.gather(*waiting))

    with_hints(redis_url, work)


def test_who_leaves_takes_nobodys_hints_away(redis: Redis, redis_url: str) -> None:
    async def work(hints: Hints) -> None:
        stays, leaves = asyncio.Event(), asyncio.Event()
        task, other = (asyncio.create_task(hears(hints, "name", event)) for event in (stays, leaves))
        await stays.wait()
        await leaves.wait()
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        await publish(redis, "name")
        assert await task

    with_hints(redis_url, work)


def test_after_a_connection_broke_off_those_who_come_hear_again(redis: Redis, redis_url: str) -> None:
    async def work(hints: Hints) -> None:
        first = asyncio.Event()
        cut = asyncio.create_task(hears(hints, "one", first))
        await first.wait()
        await asyncio.to_thread(redis.client_kill_filter, _type="pubsub")
        # Told to look by themselves.
        assert await cut
        second = asyncio.Event()
        task = asyncio.create_task(hears(hints, "another", second))
        await second.wait()
        await publish(redis, "another")
        assert await task

    with_hints(redis_url, work)


def test_who_comes_while_a_broken_connection_is_still_being_closed_hears_too(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, may_close, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    close: Any = PubSub.aclose

    async def close_later(channel: PubSub) -> None:
        closing.set()
        await may_close.wait()
        await close(channel)
        closed.set()

    async def work(hints: Hints) -> None:
        first, second = asyncio.Event(), asyncio.Event()
        cut = asyncio.create_task(hears(hints, "one", first))
        await first.wait()
        await asyncio.to_thread(redis.client_kill_filter, _type="pubsub")
        await closing.wait()
        assert await cut
        task = asyncio.create_task(hears(hints, "another", second))
        try:
            await asyncio.wait_for(second.wait(), PATIENCE_SECONDS / 2)
            await publish(redis, "another")
            assert await task
        finally:
            may_close.set()
        await closed.wait()

    monkeypatch.setattr(PubSub, "aclose", close_later)
    with_hints(redis_url, work)


def test_a_connection_whose_closing_is_cancelled_is_closed_at_the_end(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    close: Any = PubSub.aclose
    tries: list[PubSub] = []
    closing = asyncio.Event()

    async def close_at_the_second_try(channel: PubSub) -> None:
        tries.append(channel)
        if len(tries) == 1:
            closing.set()
            await asyncio.sleep(PATIENCE_SECONDS)
        await close(channel)

    async def work(hints: Hints) -> None:
        first = asyncio.Event()
        cut = asyncio.create_task(hears(hints, "here", first))
        await first.wait()
        await asyncio.to_thread(redis.client_kill_filter, _type="pubsub")
        await closing.wait()
        assert await cut

    monkeypatch.setattr(PubSub, "aclose", close_at_the_second_try)
    with_hints(redis_url, work)

    assert len(tries) == 2
    assert tries[0] is tries[1]
    assert tries[0].connection is None


def test_nobody_is_subscribed_to_what_nobody_waits_for(redis: Redis, redis_url: str) -> None:
    def subscribed() -> set[bytes]:
        # Connections of other tests may not be closed yet.
        return {b"here", b"there"}.intersection(redis.pubsub_channels())

    async def work(hints: Hints) -> None:
        async with hints.listening(["here"]):
            assert subscribed() == {b"here"}
        await asyncio.sleep(0)
        async with hints.listening(["there"]):
            assert subscribed() == {b"there"}

    with_hints(redis_url, work)
