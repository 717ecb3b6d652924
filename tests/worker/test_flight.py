"""Single flight: one call per score, whoever asks, however many, and whatever happens to the one who calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from tests.builders import a_score, a_score_error
from tests.worker.flights import CountingEndpoint, a_flight, a_redis_tier, no_redis, some_ids
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.flight import FlightResult, _Held
from worker.flight.redis_tier import lease_key

IDS = some_ids(3)
ONE = IDS[0]
OTHER = "b" * 32


def test_many_askers_at_once_cost_one_call_for_each_score(redis: Redis) -> None:
    endpoint = CountingEndpoint(seconds=0.05)

    async def all_at_once() -> list[FlightResult]:
        return await asyncio.gather(*(a_flight(redis).scores(IDS, endpoint) for _ in range(8)))

    result = asyncio.run(all_at_once())

    assert set(endpoint.asked.values()) == {1}
    assert [set(each.answers) for each in result] == [set(IDS)] * 8
    assert sum(each.called for each in result) == 3
    assert sum(each.shared for each in result) == 21


def test_askers_of_overlapping_batches_share_what_they_have_in_common(redis: Redis) -> None:
    endpoint = CountingEndpoint(seconds=0.05)

    async def both() -> None:
        flight = a_flight(redis)
        await asyncio.gather(flight.scores(IDS[:2], endpoint), flight.scores(IDS[1:], endpoint))

    asyncio.run(both())

    assert endpoint.asked == dict.fromkeys(IDS, 1)


def test_who_waits_gets_the_holders_answer(redis: Redis) -> None:
    first = CountingEndpoint(lambda _: a_score(prediction="true"), seconds=0.05)
    second = CountingEndpoint(lambda _: a_score(prediction="false"))

    async def one_after_the_other() -> FlightResult:
        flight = a_flight(redis)
        holder = asyncio.create_task(flight.scores([ONE], first))
        await asyncio.sleep(0)
        waiter = await flight.scores([ONE], second)
        await holder
        return waiter

    assert asyncio.run(one_after_the_other()).answers == {ONE: a_score(prediction="true")}
    assert not second.asked


def test_a_score_is_shared_with_those_who_come_later(redis: Redis) -> None:
    asyncio.run(a_flight(redis).scores(IDS, CountingEndpoint()))
    later = CountingEndpoint()

    result = asyncio.run(a_flight(redis).scores(IDS, later))

    assert not later.asked
    assert (result.called, result.shared) == (0, 3)
    assert result.answers == {score_id: a_score() for score_id in IDS}


def test_a_final_error_is_shared_too(redis: Redis) -> None:
    error = a_score_error(model="damaging")
    asyncio.run(a_flight(redis).scores([ONE], CountingEndpoint(lambda _: error)))
    later = CountingEndpoint()

    assert asyncio.run(a_flight(redis).scores([ONE], later)).answers == {ONE: error}
    assert not later.asked


def test_what_one_batch_wants_twice_is_asked_for_once_and_not_waited_for(redis: Redis) -> None:
    asyncio.run(a_flight(redis).scores(IDS[1:], CountingEndpoint()))
    endpoint = CountingEndpoint()
    redis.config_resetstat()

    result = asyncio.run(a_flight(redis, call_seconds=20).scores([ONE, ONE, ONE], endpoint))

    assert endpoint.asked == {ONE: 1}
    assert result.called == 1
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == 2


def test_nothing_wanted_is_nothing_asked(redis: Redis) -> None:
    endpoint = CountingEndpoint()

    assert asyncio.run(a_flight(redis).scores([], endpoint)) == FlightResult()
    assert not endpoint.asked


def test_a_score_whose_holder_died_is_called_again_once_the_lease_ran_out(redis: Redis) -> None:
    redis.set(lease_key(ONE), "token of the dead", px=120)
    endpoint = CountingEndpoint()

    result = asyncio.run(a_flight(redis).scores([ONE], endpoint))

    assert endpoint.asked == {ONE: 1}
    assert result.answers == {ONE: a_score()}


def test_a_score_whose_holder_lives_is_not_called(redis: Redis) -> None:
    redis.set(lease_key(ONE), "token of the living", px=60_000)
    endpoint = CountingEndpoint()

    result = asyncio.run(a_flight(redis, patience_seconds=0.05).scores([ONE], endpoint))

    assert not endpoint.asked
    assert result.under_way() == [ONE]
    assert (result.called, result.shared) == (0, 0)


def test_waiting_for_one_score_does_not_hold_up_the_calls_for_others(redis: Redis) -> None:
    redis.set(lease_key(ONE), OTHER, px=60_000)

    def give_back(score_id: ScoreId) -> Answer:
        if score_id != ONE:
            a_redis_tier(redis).finish([ONE], {}, OTHER)
        return a_score()

    endpoint = CountingEndpoint(give_back)

    asyncio.run(a_flight(redis).scores(IDS, endpoint))

    assert list(endpoint.asked) == [*IDS[1:], ONE]


def test_no_answer_is_not_shared(redis: Redis) -> None:
    result = asyncio.run(a_flight(redis).scores(IDS, CountingEndpoint(lambda _: NoAnswer("down", Failure.OUTAGE))))

    assert all(isinstance(answer, NoAnswer) for answer in result.answers.values())
    later = CountingEndpoint()
    asyncio.run(a_flight(redis).scores(IDS, later))
    assert later.asked == dict.fromkeys(IDS, 1)


def test_an_answer_of_a_newer_version_is_not_kept_under_the_version_that_was_asked_for(redis: Redis) -> None:
    newer = CountingEndpoint(lambda _: a_score(version="0.6.0"))

    result = asyncio.run(a_flight(redis).scores([ONE], newer))

    assert result.answers == {ONE: a_score(version="0.6.0")}
    later = CountingEndpoint()
    asyncio.run(a_flight(redis).scores([ONE], later))
    assert later.asked == {ONE: 1}


def test_an_answer_of_a_newer_version_is_kept_under_the_version_that_it_carries(redis: Redis) -> None:
    asyncio.run(a_flight(redis).scores([ONE], CountingEndpoint(lambda _: a_score(version="0.6.0"))))
    later = CountingEndpoint()

    result = asyncio.run(a_flight(redis).scores([replace(ONE, version="0.6.0")], later))

    assert not later.asked
    assert list(result.answers.values()) == [a_score(version="0.6.0")]


def test_a_call_that_fails_gives_its_leases_back(redis: Redis) -> None:
    def fail(_: object) -> NoAnswer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(a_flight(redis).scores(IDS, CountingEndpoint(fail)))

    assert redis.keys() == []


def test_a_call_that_is_cancelled_gives_its_leases_back(redis: Redis) -> None:
    async def cancelled() -> None:
        asking = asyncio.create_task(a_flight(redis).scores(IDS, CountingEndpoint(seconds=60)))
        await asyncio.sleep(0)
        assert len(redis.keys("ores-lease:*")) == 3
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(cancelled())

    assert redis.keys() == []


def test_a_call_that_takes_too_long_is_no_answer_and_gives_its_leases_back(redis: Redis) -> None:
    result = asyncio.run(a_flight(redis, call_seconds=0.05).scores(IDS, CountingEndpoint(seconds=60)))

    assert set(result.answers.values()) == {NoAnswer("no answer within 0.05 s", Failure.LATE, is_outage=True)}
    assert redis.keys("ores-lease:*") == []


def test_a_lease_that_is_somebody_elses_by_now_is_left_alone(redis: Redis) -> None:
    def lose_the_lease(_: object) -> NoAnswer:
        redis.set(lease_key(ONE), "token of the next holder")
        return NoAnswer("late")

    asyncio.run(a_flight(redis).scores([ONE], CountingEndpoint(lose_the_lease)))

    assert redis.get(lease_key(ONE)) == b"token of the next holder"


def test_a_lease_outlives_the_deadline_of_its_call(redis: Redis) -> None:
    left: list[int] = []

    def look(_: object) -> NoAnswer:
        left.append(redis.pttl(lease_key(ONE)))
        return NoAnswer("down")

    asyncio.run(a_flight(redis, call_seconds=100, lease_margin_seconds=50).scores([ONE], CountingEndpoint(look)))

    assert 100_000 < left[0] <= 150_000


def test_scores_and_errors_are_kept_for_their_own_times(redis: Redis) -> None:
    score, error = IDS[:2]
    answers: dict[ScoreId, Answer] = {score: a_score(), error: a_score_error(model="damaging")}
    flight = a_flight(redis, result_ttl_seconds=1000, error_ttl_seconds=100)

    asyncio.run(flight.scores([score, error], CountingEndpoint(lambda score_id: answers[score_id])))

    assert 900_000 < redis.pttl(f"ores:{score}") <= 1_000_000
    assert 90_000 < redis.pttl(f"ores:{error}") <= 100_000


def test_a_batch_costs_two_round_trips_whatever_its_size(redis: Redis) -> None:
    asyncio.run(a_flight(redis).scores(some_ids(1), CountingEndpoint()))
    redis.flushdb()
    redis.config_resetstat()

    asyncio.run(a_flight(redis).scores(some_ids(400), CountingEndpoint()))

    commands = redis.info("commandstats")
    assert commands["cmdstat_evalsha"]["calls"] == 2
    assert "cmdstat_eval" not in commands


def test_where_nothing_can_be_shared_every_score_is_answered_all_the_same() -> None:
    endpoint = CountingEndpoint()

    with no_redis() as gone:
        result = asyncio.run(a_flight(gone).scores(IDS, endpoint))

    assert result.answers == {score_id: a_score() for score_id in IDS}
    assert set(endpoint.asked.values()) == {1}


def test_a_renewal_that_fails_in_any_way_is_followed_by_the_next() -> None:
    async def renew_thrice() -> int:
        thrice, renewals = asyncio.Event(), 0

        class Failing:
            def renew(self, ids: Sequence[ScoreId], token: str) -> None:
                nonlocal renewals
                renewals += 1
                if renewals == 3:
                    thrice.set()
                raise ValueError("no such thing")

        tier: Any = Failing()
        renewing = asyncio.create_task(_Held(tier, some_ids(1), "token", tier).renew(every=0))
        waiting = asyncio.create_task(thrice.wait())
        await asyncio.wait([renewing, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in (renewing, waiting):
            task.cancel()
        await asyncio.gather(renewing, waiting, return_exceptions=True)
        return renewals

    assert asyncio.run(renew_thrice()) >= 3
