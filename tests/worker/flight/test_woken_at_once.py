"""Who hears that a call has ended, and asks again at once, is not told that somebody still computes it."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from tests.builders import a_score
from tests.patience import PATIENCE_SECONDS
from tests.worker.flight.two_tiers import Calls, a_process, started
from tests.worker.flights import LIFETIMES, CountingEndpoint, a_redis_tier, no_redis, some_ids
from worker.config.settings_sections import FlightSettings
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.flight import Flight, FlightResult
from worker.flight.process_tier import ProcessTier
from worker.flight.redis_tier import RedisTier

ONE, OTHER = some_ids(2)
DOWN = NoAnswer("down", Failure.OUTAGE)


class WithHook(RedisTier):
    """Redis, with something that happens between a step there and the next one in the process."""

    def __init__(self, redis: Redis) -> None:
        vars(self).update(vars(a_redis_tier(redis)))
        self.after_finish: Callable[[], None] | None = None
        self.before_looking_again: Callable[[], None] | None = None

    def acquire(self, ids: Any, token: str, waited_for: Mapping[ScoreId, str]) -> Any:
        if waited_for and (happens := self.before_looking_again):
            self.before_looking_again = None
            happens()
        return super().acquire(ids, token, waited_for)

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        standing = super().finish(ids, answers, token)
        if happens := self.after_finish:
            self.after_finish = None
            happens()
        return standing


def a_flight_with(tier: RedisTier) -> Flight:
    return Flight([ProcessTier(LIFETIMES), tier], FlightSettings(patience_seconds=PATIENCE_SECONDS))


def asks_without_patience(flight: Flight, endpoint: Calls | CountingEndpoint) -> FlightResult:
    """As a task for the front door does, in a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(flight.scores([ONE], endpoint, patience=0))).result()


@pytest.mark.parametrize(
    "end", [DOWN, a_score(version="0.6.0"), ZeroDivisionError()], ids=["failure", "other version", "error of ours"]
)
def test_who_asks_as_soon_as_redis_says_that_a_call_has_failed_calls_again(
    redis: Redis, end: Answer | Exception
) -> None:
    tier, again, results = WithHook(redis), CountingEndpoint(), list[FlightResult]()
    flight = a_flight_with(tier)
    tier.after_finish = lambda: results.append(asks_without_patience(flight, again))

    def fail(_: ScoreId) -> Answer:
        if isinstance(end, Exception):
            raise end
        return end

    asyncio.run(_outcome(flight, CountingEndpoint(fail)))

    assert [result.answers for result in results] == [{ONE: a_score()}]
    assert again.asked == {ONE: 1}


async def _outcome(flight: Flight, endpoint: CountingEndpoint) -> None:
    await asyncio.gather(flight.scores([ONE], endpoint), return_exceptions=True)


def test_who_asks_before_one_that_waits_for_another_process_has_heard_of_its_failure_calls_again(redis: Redis) -> None:
    tier, again, results = WithHook(redis), CountingEndpoint(), list[FlightResult]()
    flight, elsewhere = a_flight_with(tier), a_process(redis)

    async def work() -> None:
        holds, waits = Calls(lambda _: DOWN), Calls()
        holder = await started(elsewhere.scores([ONE], holds))
        waiter = await started(flight.scores([ONE], waits))
        holds.unblock()
        tier.before_looking_again = lambda: results.append(asks_without_patience(flight, again))
        await holder
        await waiter
        assert waits.asked == []

    asyncio.run(work())

    assert [result.answers for result in results] == [{ONE: a_score()}]
    assert again.asked == {ONE: 1}


def test_who_asks_for_what_is_being_computed_and_for_more_gets_the_rest(redis: Redis) -> None:
    flight = a_process(redis)

    async def work() -> FlightResult:
        holds, asks = Calls(), Calls()
        holder = await started(flight.scores([ONE], holds))
        asks.unblock()
        result = await flight.scores([ONE, OTHER], asks, patience=0)
        assert asks.asked == [OTHER]
        holds.unblock()
        await holder
        return result

    result = asyncio.run(work())

    assert result.under_way() == [ONE]
    assert result.answers[OTHER] == a_score()
    assert (result.called, result.shared) == (1, 0)


def test_a_call_of_this_process_is_not_made_twice_where_nothing_outside_it_can_be_asked() -> None:
    async def work() -> FlightResult:
        holds, asks = Calls(), Calls()
        holder = await started(flight.scores([ONE], holds))
        result = await flight.scores([ONE], asks, patience=0)
        assert asks.asked == []
        holds.unblock()
        await holder
        return result

    with no_redis() as gone:
        flight = a_process(gone)

        assert asyncio.run(work()).under_way() == [ONE]
