"""Waiting for what a worker computes, without any part in the work: how requests on demand get their answers."""

import asyncio

import pytest
from redis import Redis

from tests.builders import a_score
from tests.worker.flight.two_tiers import Calls, a_process, started, until
from tests.worker.flights import CountingEndpoint, no_redis, some_ids
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.flight import Flight
from worker.flight.redis_tier import lease_key
from worker.flight.tiers import End, TierUnavailable

IDS = some_ids(3)
ONE = IDS[0]
DOWN = NoAnswer("down", Failure.OUTAGE)


async def wait_for_the_worker(redis: Redis, answer: Answer) -> dict[ScoreId, Answer]:
    """What comes to one who waited before the worker began."""
    waiting = await started(a_process(redis).awaited(IDS, 30))
    await until(lambda: all(listeners for _, listeners in redis.pubsub_numsub(*map(lease_key, IDS))))
    await a_process(redis).scores(IDS, CountingEndpoint(lambda _: answer))
    return await waiting


@pytest.mark.parametrize("answer", [a_score(), a_score(version="0.6.0"), DOWN], ids=["score", "newer score", "failure"])
def test_what_a_worker_gets_reaches_one_who_only_waits(redis: Redis, answer: Answer) -> None:
    assert asyncio.run(wait_for_the_worker(redis, answer)) == dict.fromkeys(IDS, answer)


def test_what_is_there_already_is_not_waited_for(redis: Redis) -> None:
    asyncio.run(a_process(redis).scores(IDS, CountingEndpoint()))

    assert asyncio.run(a_process(redis).awaited(IDS, 0)) == dict.fromkeys(IDS, a_score())


def test_who_has_waited_long_enough_gets_what_has_come(redis: Redis) -> None:
    asyncio.run(a_process(redis).scores([ONE], CountingEndpoint()))

    assert asyncio.run(a_process(redis).awaited(IDS, 0.05)) == {ONE: a_score()}


def test_waiting_takes_no_lease(redis: Redis) -> None:
    asyncio.run(a_process(redis).awaited(IDS, 0.05))

    assert redis.keys() == []


def failed(redis: Redis) -> tuple[Flight, frozenset[str | None]]:
    """A flight after a failure, and who handed it over."""
    flight = a_process(redis)
    asyncio.run(flight.scores([ONE], CountingEndpoint(lambda _: DOWN)))
    return flight, frozenset(end.holder for end in flight.ends([ONE]).values())


def test_a_failure_older_than_the_request_is_no_answer_to_it(redis: Redis) -> None:
    flight, stale = failed(redis)

    assert asyncio.run(flight.awaited([ONE], 0.05)) == {ONE: DOWN}
    assert asyncio.run(flight.awaited([ONE], 0.05, stale=stale)) == {}


def test_a_failure_since_the_request_is_an_answer_to_it(redis: Redis) -> None:
    _, stale = failed(redis)

    async def fail_again() -> dict[ScoreId, Answer]:
        waiting = await started(a_process(redis).awaited([ONE], 30, stale=stale))
        await a_process(redis).scores([ONE], CountingEndpoint(lambda _: NoAnswer("down again")))
        return await waiting

    assert asyncio.run(fail_again()) == {ONE: NoAnswer("down again")}


def test_ends_are_what_other_processes_stored_or_hand_over(redis: Redis) -> None:
    answers: dict[ScoreId, Answer] = {IDS[0]: a_score(), IDS[1]: DOWN}
    asyncio.run(a_process(redis).scores(IDS[:2], CountingEndpoint(lambda score_id: answers[score_id])))

    ends = a_process(redis).ends(IDS)

    assert ends.keys() == answers.keys()
    assert ends[IDS[0]] == End(a_score())
    assert ends[IDS[1]].answer == DOWN
    assert ends[IDS[1]].holder is not None


def test_what_is_under_way_has_no_end_yet(redis: Redis) -> None:
    async def look_meanwhile() -> dict[ScoreId, End]:
        calls, flight = Calls(), a_process(redis)
        holder = await started(flight.scores([ONE], calls))
        ends = flight.ends([ONE])
        calls.unblock()
        await holder
        return ends

    assert asyncio.run(look_meanwhile()) == {}


def test_without_redis_nobody_can_tell_and_nobody_can_wait() -> None:
    with no_redis() as gone:
        flight = a_process(gone)

        with pytest.raises(TierUnavailable):
            flight.ends([ONE])
        with pytest.raises(TierUnavailable):
            asyncio.run(flight.awaited([ONE], 1))
