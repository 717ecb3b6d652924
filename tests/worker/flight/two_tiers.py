"""Flights of processes that share a Redis, and an endpoint that answers when it is told to."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from redis import Redis

from tests.builders import a_score
from tests.patience import PATIENCE_SECONDS
from tests.worker.flights import a_redis_tier, lifetimes_of
from worker.config.settings_sections import FlightSettings
from worker.domain.scores import Answer, Hear, ScoreId, unheard
from worker.flight.flight import Flight
from worker.flight.process_tier import ProcessTier

Result = TypeVar("Result")


def a_process(redis: Redis, **settings: Any) -> Flight:
    """The flight of one process, which by itself waits for others for as long as a slow machine may take."""
    flight = FlightSettings(**({"patience_seconds": PATIENCE_SECONDS} | settings))
    lifetimes = lifetimes_of(flight)
    return Flight([ProcessTier(lifetimes), a_redis_tier(redis, lifetimes)], flight)


class Calls:
    """What an endpoint was asked for, by any thread; answers once it is unblocked."""

    def __init__(self, answer: Callable[[ScoreId], Answer] | None = None) -> None:
        self.asked: list[ScoreId] = []
        self._answer = answer or (lambda score_id: a_score(version=score_id.version))
        self._unblocked = asyncio.Event()

    def unblock(self) -> None:
        self._unblocked.set()

    async def __call__(self, ids: Sequence[ScoreId], _: Hear = unheard) -> dict[ScoreId, Answer]:
        self.asked.extend(ids)
        await self._unblocked.wait()
        return {score_id: self._answer(score_id) for score_id in ids}


async def until(is_so: Callable[[], object]) -> None:
    """Let others go on until it is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - nobody would tell
            await asyncio.sleep(0.005)


async def until_others_have_ended() -> None:
    """Let every other task of this event loop end, with all that it does in threads."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*others, return_exceptions=True)


async def started(work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
    """Start *work*; it has asked its tiers when this returns."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


def in_threads(count: int, work: Callable[[], Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run *work* in so many threads at once, each with an event loop of its own."""
    together = Barrier(count)

    def one(_: int) -> Result:
        together.wait()
        return asyncio.run(work())

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
