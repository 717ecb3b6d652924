"""What only the tier in Redis does: one script for hundreds of ids, keys that all run out, hints through channels."""

import asyncio
from functools import partial
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from tests.builders import a_score, a_score_error
from tests.worker.flight.deaf_redis import deaf_redis
from tests.worker.flight.own_redis import OwnRedis, connect
from tests.worker.flight.waking import LOST_SECONDS, is_woken, is_woken_from_another_thread
from tests.worker.flights import LIFETIMES, a_redis_tier, some_ids
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.redis_tier import MOST_AT_ONCE, RedisTier, lease_key, result_key
from worker.flight.tiers import Acquired, TierUnavailable

IDS = some_ids(3)
ONE = IDS[0]
MINE, OTHER = "a" * 32, "b" * 32
#: What the scripts look for, as texts of others may have it.
CONFUSING = ["answer", "holder", '"answer":{', f'"holder":"{OTHER}"', '"', "\\", '\\"answer":{', "{'answer':{", ":"]


def commands(redis: Redis) -> dict[str, int]:
    """How often each command was called; those about the server itself not counted."""
    statistics: Any = redis.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): counted["calls"] for name, counted in statistics.items()}
    return {name: calls for name, calls in counts.items() if not name.startswith(("info", "config", "client", "hello"))}


@pytest.mark.parametrize(("count", "times"), [(1, 1), (MOST_AT_ONCE, 1), (MOST_AT_ONCE + 1, 2)])
def test_each_step_of_a_batch_is_one_command_from_us_for_five_hundred_ids(redis: Redis, count: int, times: int) -> None:
    tier, ids = a_redis_tier(redis), some_ids(count)
    warm_up(tier)
    redis.flushdb()
    redis.config_resetstat()

    tier.acquire(ids, MINE, {})
    tier.renew(ids, MINE)
    tier.finish(ids, dict.fromkeys(ids, a_score()), MINE)
    tier.ends(ids)

    called = commands(redis)
    assert (called["evalsha"], called["mget"]) == (3 * times, times)
    assert "eval" not in called


def warm_up(tier: RedisTier) -> None:
    """Have Redis learn the scripts."""
    tier.acquire([ONE], MINE, {})
    tier.renew([ONE], MINE)
    tier.finish([ONE], {}, MINE)


def test_nothing_wanted_is_nothing_asked_of_redis(redis: Redis) -> None:
    tier = a_redis_tier(redis)
    redis.config_resetstat()

    assert tier.acquire([], MINE, {}) == Acquired()
    assert tier.finish([], {}, MINE) == {}
    assert tier.ends([]) == {}
    tier.renew([], MINE)

    assert "evalsha" not in commands(redis)
    assert "mget" not in commands(redis)


def test_scripts_that_redis_has_forgotten_are_told_again(redis: Redis) -> None:
    tier = a_redis_tier(redis)
    tier.acquire([ONE], MINE, {})
    redis.script_flush()

    assert tier.acquire([ONE], OTHER, {}).under_way[ONE].token == MINE


def test_every_key_runs_out(redis: Redis) -> None:
    score, error, failed = IDS
    left = some_ids(1, version="left")[0]
    tier = a_redis_tier(redis)
    tier.acquire([*IDS, left], MINE, {})
    tier.renew([left], MINE)
    answers: dict[ScoreId, Answer] = {score: a_score(), error: a_score_error(), failed: NoAnswer("down")}
    tier.finish(IDS, answers, MINE)

    times = {key: redis.pttl(key) / 1000 for key in map(result_key, [score, error, failed])}
    assert sorted(redis.keys()) == sorted([*(key.encode() for key in times), lease_key(left).encode()])
    assert times == {
        result_key(score): pytest.approx(LIFETIMES.result, abs=20),
        result_key(error): pytest.approx(LIFETIMES.error, abs=20),
        result_key(failed): pytest.approx(LIFETIMES.handover, abs=20),
    }
    assert 0 < redis.pttl(lease_key(left)) <= LIFETIMES.lease * 1000


@pytest.mark.parametrize("text", CONFUSING)
def test_what_a_message_says_does_not_make_a_failure_look_like_an_answer(redis: Redis, text: str) -> None:
    tier, failure = a_redis_tier(redis), NoAnswer(text, Failure.OUTAGE)
    tier.acquire([ONE], MINE, {})
    tier.finish([ONE], {ONE: failure}, MINE)

    assert tier.ends([ONE])[ONE].answer == failure
    assert tier.acquire([ONE], OTHER, {ONE: MINE}).handed_over == {ONE: failure}
    assert tier.acquire([ONE], OTHER, {ONE: OTHER}).ours == [ONE]


@pytest.mark.parametrize("text", CONFUSING)
def test_what_a_message_says_does_not_make_an_answer_of_another_version_look_cached(redis: Redis, text: str) -> None:
    tier, newer = a_redis_tier(redis), a_score_error(version="0.6.0", type=text, message=text)
    tier.acquire([ONE], MINE, {})
    tier.finish([ONE], {ONE: newer}, MINE)

    assert tier.acquire([ONE], OTHER, {ONE: MINE}).handed_over == {ONE: newer}
    assert tier.finish([ONE], {ONE: a_score()}, OTHER) == {ONE: a_score()}


@pytest.mark.parametrize("text", CONFUSING)
def test_a_cached_answer_is_read_back_whatever_is_in_it(redis: Redis, text: str) -> None:
    tier, score = a_redis_tier(redis), a_score(prediction=text, probability={text: 1.0})
    tier.finish([ONE], {ONE: score}, MINE)

    assert tier.acquire([ONE], OTHER, {ONE: OTHER}).cached == {ONE: score}


def test_a_result_that_is_not_single_flights_does_not_stand_in_the_way(redis: Redis) -> None:
    tier = a_redis_tier(redis)
    redis.set(result_key(ONE), '{"status": "STARTED", "result": null}', px=60_000)

    assert tier.ends([ONE]) == {}
    assert tier.acquire([ONE], MINE, {}).ours == [ONE]
    assert tier.finish([ONE], {ONE: a_score()}, MINE) == {ONE: a_score()}
    assert tier.ends([ONE])[ONE].answer == a_score()


@pytest.mark.parametrize(
    "answers", [{}, {ONE: a_score()}, {ONE: NoAnswer("down")}], ids=["release", "score", "failure"]
)
def test_an_end_wakes_who_listens(redis: Redis, answers: dict[ScoreId, Answer]) -> None:
    tier = a_redis_tier(redis)
    tier.acquire(IDS, MINE, {})

    assert asyncio.run(is_woken(tier, IDS, lambda: tier.finish([ONE], answers, MINE)))


def test_an_end_in_one_thread_wakes_who_listens_in_the_loop_of_another(redis: Redis) -> None:
    tier = a_redis_tier(redis)

    assert is_woken_from_another_thread(tier, IDS, lambda: tier.finish([ONE], {ONE: a_score()}, MINE))


def test_the_hints_of_ends_that_come_together_are_heard_as_one(redis: Redis) -> None:
    tier = a_redis_tier(redis)

    async def is_woken_again() -> bool:
        loop = asyncio.get_running_loop()
        async with tier.listening(IDS) as listen:
            tier.finish(IDS, {}, MINE)
            await listen(LOST_SECONDS)
            started = loop.time()
            await listen(0.1)
            return loop.time() - started < 0.1

    assert not asyncio.run(is_woken_again())


def test_an_end_that_comes_before_listening_is_found_by_looking_again(redis: Redis) -> None:
    tier = a_redis_tier(redis)
    tier.acquire([ONE], MINE, {})
    assert tier.acquire([ONE], OTHER, {}).under_way
    tier.finish([ONE], {ONE: NoAnswer("down")}, MINE)

    async def look_again() -> Acquired:
        async with tier.listening([ONE]):
            return tier.acquire([ONE], OTHER, {ONE: MINE})

    assert asyncio.run(look_again()) == Acquired(handed_over={ONE: NoAnswer("down")})


def test_who_wants_to_listen_at_a_redis_that_is_gone_knocks_once() -> None:
    """`AsyncRedis` by itself would try four times, and take seconds over it."""

    async def listen(tier: RedisTier) -> None:
        async with tier.listening([ONE]):
            pass

    with deaf_redis() as deaf, connect(deaf.port) as client:
        with pytest.raises(TierUnavailable):
            asyncio.run(listen(a_redis_tier(client)))

        assert deaf.knocks == 1


def test_who_listens_hears_again_once_redis_is_back(own_redis: OwnRedis) -> None:
    with connect(own_redis.port) as client:
        tier = a_redis_tier(client)

        async def listen() -> bool:
            async with tier.listening([ONE]) as listen:
                own_redis.stop()
                await listen(0.05)
                own_redis.start()
                await listen(0.05)
                tier.finish([ONE], {}, MINE)
                before = asyncio.get_running_loop().time()
                await listen(LOST_SECONDS)
                return asyncio.get_running_loop().time() - before < LOST_SECONDS - 1

        assert asyncio.run(listen())


@pytest.mark.parametrize("step", ["acquire", "renew", "finish", "ends", "listening"])
def test_a_redis_that_is_gone_is_a_tier_that_does_not_answer(own_redis: OwnRedis, step: str) -> None:
    own_redis.stop()
    with connect(own_redis.port) as client:
        tier = RedisTier(client, partial(AsyncRedis, port=own_redis.port), LIFETIMES)

        async def listen() -> None:
            async with tier.listening([ONE]):
                pass

        steps = {
            "acquire": lambda: tier.acquire([ONE], MINE, {}),
            "renew": lambda: tier.renew([ONE], MINE),
            "finish": lambda: tier.finish([ONE], {}, MINE),
            "ends": lambda: tier.ends([ONE]),
            "listening": lambda: asyncio.run(listen()),
        }
        with pytest.raises(TierUnavailable):
            steps[step]()  # type: ignore[no-untyped-call]
