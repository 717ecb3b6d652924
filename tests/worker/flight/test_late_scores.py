"""Scores that are late hold up no others of their revisions, and are called for once all the same."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from tests.builders import a_score
from tests.worker.flight.two_tiers import a_process, until, until_others_have_ended
from tests.worker.flights import LIFETIMES, some_ids
from tests.worker.limits.pacing import now, run
from worker.config.settings_sections import FlightSettings
from worker.domain.failures import Failure
from worker.domain.scores import Answer, Hear, NoAnswer, ScoreId, unheard
from worker.flight.flight import LATE_TIMES, Flight, FlightResult
from worker.flight.process_tier import ProcessTier
from worker.flight.redis_tier import lease_key

SOON = some_ids(3)
LATE = [replace(each, model="goodfaith") for each in SOON]
LATE_SECONDS = 0.05
DOWN = NoAnswer("down", Failure.OUTAGE)


class TwoModels:
    """Answers for damaging at once, and for goodfaith when it is told to; counts what it was asked for."""

    def __init__(self, late: Answer | Exception | None = None) -> None:
        self.asked: list[ScoreId] = []
        self.has_ended = False
        self._late = late or a_score(model="goodfaith")
        self._unblocked = asyncio.Event()

    def unblock(self) -> None:
        self._unblocked.set()

    async def __call__(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        self.asked.extend(ids)
        soon: dict[ScoreId, Answer] = {each: a_score() for each in ids if each.model == "damaging"}
        hear(soon)
        try:
            if len(soon) < len(ids):
                await self._unblocked.wait()
            if isinstance(self._late, Exception):
                raise self._late
        finally:
            self.has_ended = True
        return soon | {each: self._late for each in ids if each not in soon}


def in_time(redis: Redis, work: Callable[[Flight], Awaitable[None]]) -> None:
    async def working() -> None:
        await work(a_process(redis, late_seconds=LATE_SECONDS))

    asyncio.run(working())


def test_who_has_some_scores_of_a_revision_does_not_wait_for_late_ones(redis: Redis) -> None:
    async def work(flight: Flight) -> None:
        endpoint = TwoModels()
        result = await flight.scores([*SOON, *LATE], endpoint)
        assert {each: result.answers[each] for each in SOON} == dict.fromkeys(SOON, a_score())
        assert sorted(result.under_way()) == sorted(LATE)
        assert (result.called, result.shared) == (6, 0)
        # Its leases are those of a holder at work.
        assert sorted(redis.keys("ores-lease:*")) == sorted(lease_key(each).encode() for each in LATE)
        endpoint.unblock()
        await until(lambda: not redis.keys("ores-lease:*"))

    in_time(redis, work)


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["in this process", "in another process"])
def test_a_late_score_is_in_the_cache_when_it_has_come(redis: Redis, *, is_elsewhere: bool) -> None:
    async def work(flight: Flight) -> None:
        endpoint, next_one = TwoModels(), TwoModels()
        await flight.scores([*SOON, *LATE], endpoint)
        endpoint.unblock()
        # Its leases end in Redis before they do in its own process.
        await until_others_have_ended()
        later = await (a_process(redis) if is_elsewhere else flight).scores([*SOON, *LATE], next_one)
        assert later.answers == {**dict.fromkeys(SOON, a_score()), **dict.fromkeys(LATE, a_score(model="goodfaith"))}
        assert next_one.asked == []

    in_time(redis, work)


def test_a_late_score_that_another_computes_is_waited_for_no_longer(redis: Redis) -> None:
    async def work(flight: Flight) -> None:
        endpoint, next_one = TwoModels(), TwoModels()
        await flight.scores([*SOON, *LATE], endpoint)
        elsewhere = a_process(redis, late_seconds=LATE_SECONDS, patience_seconds=600)
        for asker in (flight, elsewhere):
            assert sorted((await asker.scores([*SOON, *LATE], next_one)).under_way()) == sorted(LATE)
        assert next_one.asked == []
        endpoint.unblock()

    in_time(redis, work)


@pytest.mark.parametrize("end", [DOWN, ZeroDivisionError()], ids=["an outage", "an error of ours"])
def test_a_late_call_that_fails_gives_its_leases_back(redis: Redis, end: Answer | Exception) -> None:
    async def work(flight: Flight) -> None:
        endpoint = TwoModels(end)
        result = await flight.scores([*SOON, *LATE], endpoint)
        endpoint.unblock()
        await until(lambda: not redis.keys("ores-lease:*"))
        assert sorted(result.under_way()) == sorted(LATE)
        next_one = TwoModels()
        next_one.unblock()
        assert (await flight.scores(LATE, next_one, patience=0)).called == len(LATE)

    in_time(redis, work)


def test_a_late_call_that_is_cancelled_with_its_process_gives_its_leases_back(redis: Redis) -> None:
    async def work(flight: Flight) -> None:
        await flight.scores([*SOON, *LATE], TwoModels())

    in_time(redis, work)

    assert redis.keys("ores-lease:*") == []


def test_who_waits_for_a_late_score_alone_hears_how_its_call_failed(redis: Redis) -> None:
    async def work(flight: Flight) -> None:
        endpoint = TwoModels(DOWN)
        await flight.scores([*SOON, *LATE], endpoint)
        waiting = asyncio.create_task(a_process(redis, patience_seconds=600).scores(LATE, TwoModels()))
        await asyncio.sleep(LATE_SECONDS)
        endpoint.unblock()
        assert (await waiting).answers == dict.fromkeys(LATE, DOWN)

    in_time(redis, work)


def test_scores_of_which_no_revision_has_another_are_waited_for_to_the_end(redis: Redis) -> None:
    async def work(flight: Flight) -> None:
        endpoint = TwoModels()
        other = some_ids(9)[8]
        asking = asyncio.create_task(flight.scores([other, *LATE], endpoint))
        await asyncio.sleep(3 * LATE_SECONDS)
        assert not asking.done()
        endpoint.unblock()
        assert (await asking).under_way() == []

    in_time(redis, work)


def test_scores_on_demand_are_waited_for_to_the_end(redis: Redis) -> None:
    async def work(flight: Flight) -> None:
        endpoint = TwoModels()
        asking = asyncio.create_task(flight.scores([*SOON, *LATE], endpoint, patience=0))
        await asyncio.sleep(3 * LATE_SECONDS)
        assert not asking.done()
        endpoint.unblock()
        assert (await asking).under_way() == []

    in_time(redis, work)


def asked_with(delays: Mapping[ScoreId, float], settings: FlightSettings) -> tuple[FlightResult, float]:
    """The result where the answers come after *delays*, and after how many seconds it is there; in virtual time."""

    async def call(ids: Sequence[ScoreId], hear: Hear) -> dict[ScoreId, Answer]:
        async def one(score_id: ScoreId) -> None:
            await asyncio.sleep(delays[score_id])
            hear({score_id: a_score(model=score_id.model)})

        await asyncio.gather(*map(one, ids))
        return {each: a_score(model=each.model) for each in ids}

    async def ask() -> tuple[FlightResult, float]:
        result = await Flight([ProcessTier(LIFETIMES)], settings).scores(delays, call)
        return result, now()

    return run(ask)


@given(
    st.lists(st.floats(0.001, 2), min_size=1, max_size=6),
    st.floats(0.01, 2),
)
def test_an_endpoint_that_is_slow_with_all_is_waited_for(steps: list[float], late: float) -> None:
    """However slow the first answer is, those that follow come within a few times as long."""
    delays, at = {}, 0.0
    for number, step in enumerate(steps):
        at += step if not number else min(step, LATE_TIMES * at * 0.99)
        delays[ScoreId("enwiki", "damaging" if number % 2 else "goodfaith", number // 2 + 1, "0.5.1")] = at

    result, seconds = asked_with(delays, FlightSettings(late_seconds=late))

    assert result.under_way() == []
    assert seconds == pytest.approx(at)
