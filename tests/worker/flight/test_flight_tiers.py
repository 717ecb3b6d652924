"""Single flight through both tiers: threads and coroutines of a process share a call, and so do processes."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from redis import Redis

from tests.builders import a_score, a_score_error
from tests.worker.flight.timed_tiers import LIFETIMES as LONG_LIFETIMES
from tests.worker.flight.timed_tiers import ProcessTimedTier, RedisTimedTier, TimedTier
from tests.worker.flight.two_tiers import Calls, a_process, in_threads, started, until
from tests.worker.flights import CountingEndpoint, a_redis_tier, some_ids
from worker.config.settings_sections import FlightSettings
from worker.domain.failures import Failure
from worker.domain.scores import Answer, Hear, NoAnswer, ScoreId
from worker.flight.flight import Flight, FlightResult
from worker.flight.redis_tier import lease_key

IDS = some_ids(4)
ONE = IDS[0]
DOWN = NoAnswer("down", Failure.OUTAGE, retry_after=7)
OTHER = "b" * 32


@pytest.fixture(params=["in one process", "in two processes"])
def two(request: pytest.FixtureRequest, redis: Redis) -> tuple[Flight, Flight]:
    """The flight of the holder and that of the waiter; once they are the same."""
    holder = a_process(redis)
    return holder, holder if request.param == "in one process" else a_process(redis)


async def held_and_waited_for(
    two: tuple[Flight, Flight], holds: Calls, waits: Calls
) -> tuple[FlightResult, FlightResult]:
    """One asks, another asks meanwhile, then the endpoint answers the first."""
    holder = await started(two[0].scores([ONE], holds))
    waiter = await started(two[1].scores([ONE], waits))
    holds.unblock()
    waits.unblock()
    return await holder, await waiter


def run_both(two: tuple[Flight, Flight], answer: Answer) -> tuple[FlightResult, FlightResult, list[ScoreId]]:
    """How holder and waiter end when the holder gets *answer*, and what the waiter asked the endpoint for."""

    async def both() -> tuple[FlightResult, FlightResult, list[ScoreId]]:
        waits = Calls()
        holder, waiter = await held_and_waited_for(two, Calls(lambda _: answer), waits)
        return holder, waiter, waits.asked

    return asyncio.run(both())


def test_threads_and_coroutines_of_a_process_cost_one_call(redis: Redis) -> None:
    flight = a_process(redis)
    asked: list[ScoreId] = []

    async def call(ids: Sequence[ScoreId], _: Hear) -> dict[ScoreId, Answer]:
        asked.extend(ids)
        await asyncio.sleep(0.05)
        return dict.fromkeys(ids, a_score())

    async def ask() -> list[FlightResult]:
        return await asyncio.gather(*(flight.scores(IDS, call) for _ in range(5)))

    result = [each for thread in in_threads(4, ask) for each in thread]

    assert sorted(asked) == IDS
    assert [each.answers for each in result] == [dict.fromkeys(IDS, a_score())] * 20
    assert sum(each.called for each in result) == 4
    assert sum(each.shared for each in result) == 76


def test_threads_of_several_processes_that_want_different_batches_cost_one_call_for_each_score(redis: Redis) -> None:
    flights = [a_process(redis) for _ in range(3)]
    asked: list[ScoreId] = []
    ids = some_ids(30)

    async def call(wanted: Sequence[ScoreId], _: Hear) -> dict[ScoreId, Answer]:
        asked.extend(wanted)
        await asyncio.sleep(0.02)
        return {score_id: a_score(prediction=str(score_id.revision)) for score_id in wanted}

    async def ask() -> list[FlightResult]:
        asking = [flight.scores(ids[start : start + 15], call) for flight in flights for start in (0, 5, 10, 15)]
        return await asyncio.gather(*asking)

    result = [each for thread in in_threads(3, ask) for each in thread]

    assert Counter(asked) == dict.fromkeys(ids, 1)
    answers = [(score_id, answer) for each in result for score_id, answer in each.answers.items()]
    assert all(answer == a_score(prediction=str(score_id.revision)) for score_id, answer in answers)
    assert {len(each.answers) for each in result} == {15}


def test_redis_is_asked_once_for_all_coroutines_of_a_process(redis: Redis) -> None:
    async def all_at_once() -> None:
        flight = a_process(redis)
        await asyncio.gather(*(flight.scores(IDS, CountingEndpoint(seconds=0.01)) for _ in range(10)))

    asyncio.run(all_at_once())
    redis.flushdb()
    redis.config_resetstat()
    asyncio.run(all_at_once())

    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == 2


@pytest.mark.parametrize("answer", [a_score(prediction="true"), a_score_error(version="0.5.1"), DOWN], ids=str)
def test_who_waits_gets_what_the_holder_got_and_calls_nobody(two: tuple[Flight, Flight], answer: Answer) -> None:
    holder, waiter, asked = run_both(two, answer)

    assert holder.answers == waiter.answers == {ONE: answer}
    assert (holder.called, waiter.called, waiter.shared, asked) == (1, 0, 1, [])


def test_an_answer_of_another_version_reaches_those_who_wait(two: tuple[Flight, Flight]) -> None:
    newer = a_score(version="0.6.0")

    holder, waiter, asked = run_both(two, newer)

    assert holder.answers == waiter.answers == {ONE: newer}
    assert asked == []


@pytest.mark.parametrize("newer", [a_score(version="0.6.0"), a_score_error(version="0.6.0")], ids=["score", "error"])
def test_an_answer_of_another_version_is_kept_under_the_id_that_is_its_own(
    two: tuple[Flight, Flight], newer: Answer
) -> None:
    run_both(two, newer)
    later = CountingEndpoint()
    its_own = ScoreId(ONE.wiki, ONE.model, ONE.revision, "0.6.0")

    assert asyncio.run(two[1].scores([its_own], later)).answers == {its_own: newer}
    assert not later.asked


def test_who_asks_after_a_failure_calls_again(two: tuple[Flight, Flight]) -> None:
    run_both(two, DOWN)
    later = CountingEndpoint()

    assert asyncio.run(two[1].scores([ONE], later)).answers == {ONE: a_score()}
    assert later.asked == {ONE: 1}


def test_who_has_no_patience_is_told_at_once_that_somebody_computes_it(two: tuple[Flight, Flight]) -> None:
    async def ask() -> FlightResult:
        holds, waits = Calls(), Calls()
        holder = await started(two[0].scores([ONE], holds))
        result = await two[1].scores([ONE], waits, patience=0)
        assert not holder.done()
        assert waits.asked == []
        holds.unblock()
        await holder
        return result

    result = asyncio.run(ask())

    assert result.under_way() == [ONE]
    assert (result.called, result.shared) == (0, 0)
    (answer,) = result.answers.values()
    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.ELSEWHERE


def test_the_impatience_of_one_is_no_end_for_others_of_its_process(redis: Redis) -> None:
    """Who waits in the process for one who waits at Redis goes on when that one gives up."""
    here, elsewhere = a_process(redis), a_process(redis)

    async def ask() -> tuple[FlightResult, FlightResult]:
        holds, waits = Calls(), Calls()
        holder = await started(elsewhere.scores([ONE], holds))
        hasty = await started(here.scores([ONE], waits, patience=0.05))
        patient = await started(here.scores([ONE], waits, patience=60))
        gave_up = await hasty
        holds.unblock()
        await holder
        assert waits.asked == []
        return gave_up, await patient

    gave_up, patient = asyncio.run(ask())

    assert gave_up.under_way() == [ONE]
    assert patient.answers == {ONE: a_score()}


def test_those_who_wait_for_one_that_is_cancelled_take_over_and_call_once(two: tuple[Flight, Flight]) -> None:
    async def ask() -> tuple[list[FlightResult], list[ScoreId]]:
        holds, waits = Calls(), Calls()
        holder = await started(two[0].scores([ONE], holds))
        waiters = [await started(two[1].scores([ONE], waits, patience=60)) for _ in range(3)]
        holder.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holder
        waits.unblock()
        return await asyncio.gather(*waiters), waits.asked

    result, asked = asyncio.run(ask())

    assert [each.answers for each in result] == [{ONE: a_score()}] * 3
    assert asked == [ONE]


def test_one_of_those_who_wait_that_is_cancelled_takes_nothing_from_the_others(two: tuple[Flight, Flight]) -> None:
    async def ask() -> FlightResult:
        holds, waits = Calls(), Calls()
        holder = await started(two[0].scores([ONE], holds))
        leaves, stays = [await started(two[1].scores([ONE], waits, patience=60)) for _ in range(2)]
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        holds.unblock()
        await holder
        assert waits.asked == []
        return await stays

    assert asyncio.run(ask()).answers == {ONE: a_score()}


def test_a_score_whose_holder_died_in_another_process_is_called_once_by_those_who_waited(redis: Redis) -> None:
    redis.set(lease_key(ONE), OTHER, px=150)
    endpoint = CountingEndpoint(seconds=0.02)

    async def ask() -> list[FlightResult]:
        processes = [a_process(redis), a_process(redis)] * 3
        return await asyncio.gather(*(flight.scores([ONE], endpoint, patience=60) for flight in processes))

    assert [result.answers for result in asyncio.run(ask())] == [{ONE: a_score()}] * 6
    assert endpoint.asked == {ONE: 1}


class OftenRenewed(FlightSettings):
    """Leases are renewed each third of a second, however long they last."""

    @property
    def lease_seconds(self) -> float:
        return 1.0


@pytest.mark.parametrize("same", [True, False], ids=["in one process", "in two processes"])
def test_a_lease_is_renewed_while_a_call_lasts_longer_than_it(redis: Redis, same: bool) -> None:
    """Its time passes when the test says so."""
    tiers: list[TimedTier] = [ProcessTimedTier(), RedisTimedTier(redis)]
    settings = OftenRenewed(call_seconds=600, patience_seconds=600)
    holder = Flight([each.tier for each in tiers], settings)
    waiter = holder if same else Flight([ProcessTimedTier().tier, tiers[1].tier], settings)
    endpoint, most = Calls(), LONG_LIFETIMES.lease - 50

    def is_renewed() -> bool:
        return all(each.tier.acquire([ONE], OTHER, {}).under_way[ONE].seconds > 50 for each in tiers)

    async def ask() -> list[FlightResult]:
        asking = [await started(flight.scores([ONE], endpoint)) for flight in (holder, waiter)]
        for _ in range(3):
            for each in tiers:
                each.advance(most)
            await until(is_renewed)
        endpoint.unblock()
        return await asyncio.gather(*asking)

    assert [result.answers for result in asyncio.run(ask())] == [{ONE: a_score()}] * 2
    assert endpoint.asked == [ONE]


def test_an_answer_that_somebody_stored_meanwhile_is_everybodys(redis: Redis) -> None:
    theirs, ours = a_score(prediction="theirs"), a_score(prediction="ours")
    flight = a_process(redis)

    def overtaken(_: ScoreId) -> Answer:
        a_redis_tier(redis).finish([ONE], {ONE: theirs}, OTHER)
        return ours

    async def ask() -> tuple[FlightResult, FlightResult]:
        return await held_and_waited_for((flight, flight), Calls(overtaken), Calls())

    holder, waiter = asyncio.run(ask())

    assert holder.answers == waiter.answers == {ONE: theirs}
    assert asyncio.run(flight.scores([ONE], CountingEndpoint())).answers == {ONE: theirs}


def test_a_failure_is_no_match_for_an_answer_that_somebody_stored_meanwhile(redis: Redis) -> None:
    def overtaken(_: ScoreId) -> Answer:
        a_redis_tier(redis).finish([ONE], {ONE: a_score()}, OTHER)
        return DOWN

    assert asyncio.run(a_process(redis).scores([ONE], CountingEndpoint(overtaken))).answers == {ONE: a_score()}


def test_what_came_while_we_waited_was_not_there_before(two: tuple[Flight, Flight]) -> None:
    _, waiter, _ = run_both(two, a_score())

    assert waiter.cached == set()


def test_a_batch_may_be_cached_under_way_and_ours_at_once(redis: Redis) -> None:
    cached, elsewhere, *ours = IDS
    a_redis_tier(redis).finish([], {cached: a_score(prediction="cached")}, OTHER)

    async def ask() -> tuple[FlightResult, list[ScoreId]]:
        holds, calls = Calls(lambda _: a_score(prediction="elsewhere")), Calls()
        holder = await started(a_process(redis).scores([elsewhere], holds))
        asking = await started(a_process(redis).scores(IDS, calls, patience=60))
        calls.unblock()
        await until(lambda: len(redis.keys("ores:*")) == 3)
        holds.unblock()
        await holder
        return await asking, calls.asked

    result, asked = asyncio.run(ask())

    assert asked == ours
    assert (result.called, result.shared, result.cached) == (2, 2, {cached})
    assert result.answers == {
        cached: a_score(prediction="cached"),
        elsewhere: a_score(prediction="elsewhere"),
        **dict.fromkeys(ours, a_score()),
    }
