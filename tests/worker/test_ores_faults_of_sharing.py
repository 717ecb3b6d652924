"""The faults that ORES' sharing of scores under way had, one test each: what does not happen here.

They are told of wikimedia/ores @ 8369ea0, its designs "task ids as locks" and, since e875953, "task tracker".
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from redis import Redis

from outbox.database import Database
from tests.builders import a_score, edits
from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS
from tests.worker.conftest import BuildServices
from tests.worker.flights import LIFETIMES, CountingEndpoint, a_flight, a_redis_tier, some_ids
from tests.worker.lines import drain, save
from worker.domain.failures import Failure
from worker.domain.scores import Answer, Hear, NoAnswer, ScoreId, unheard
from worker.flight.flight import FlightResult
from worker.flight.redis_tier import lease_key, result_key
from worker.scores.on_demand import score_on_demand
from worker.tasks.on_demand import request_scores

ONE = some_ids(1)[0]
#: Another model's score of the same revision.
OTHER = replace(ONE, model="goodfaith")
DOWN = NoAnswer("down", Failure.OUTAGE)


class HeldEndpoint(CountingEndpoint):
    """Answers nobody before it is let go."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__(None if answer is None else lambda _: answer)
        self.unblock = asyncio.Event()

    async def __call__(self, ids: Sequence[ScoreId], _: Hear = unheard) -> dict[ScoreId, Answer]:
        answers = await super().__call__(ids)
        await self.unblock.wait()
        return answers


async def asking(
    redis: Redis, endpoint: CountingEndpoint, *ids: ScoreId, patience: float = 10
) -> "asyncio.Task[FlightResult]":
    """A process of its own that asks for *ids*, and has looked what is under way."""
    task = asyncio.create_task(a_flight(redis).scores(ids, endpoint, patience=patience))
    await asyncio.sleep(0)
    return task


async def listened_to(redis: Redis, score_id: ScoreId, listeners: int = 1) -> None:
    """Wait until so many wait for the end of *score_id*."""
    channel = lease_key(score_id)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while redis.pubsub_numsub(channel)[0][1] < listeners:  # noqa: ASYNC110 - it is told by Redis
            await asyncio.sleep(0.005)


def test_fault_01_requests_that_come_during_a_slow_call_start_no_second_one(redis: Redis) -> None:
    """ORES told its tracker of a task after fetching the texts for it, and unconditionally.

    Source: ores/scoring_systems/celery_queue.py, ores/task_tracker/redis_task_tracker.py.
    """
    endpoint = HeldEndpoint()

    async def come_late() -> list[FlightResult]:
        holder = await asking(redis, endpoint, ONE)
        token = redis.get(lease_key(ONE))
        late = [await asking(redis, endpoint, ONE) for _ in range(6)]
        assert redis.get(lease_key(ONE)) == token
        endpoint.unblock.set()
        return await asyncio.gather(holder, *late)

    result = asyncio.run(come_late())

    assert endpoint.asked == {ONE: 1}
    assert [each.answers for each in result] == [{ONE: a_score()}] * 7


def test_fault_02_a_failed_call_frees_its_own_lease_and_nobody_elses(redis: Redis) -> None:
    """ORES released a task without looking whose it was, and a failed one not at all for 300 s.

    Source: ores/task_tracker/redis_task_tracker.py, ores/scoring_systems/celery_queue.py.
    """
    first, second, third, fourth = HeldEndpoint(DOWN), HeldEndpoint(DOWN), CountingEndpoint(), CountingEndpoint()

    async def fail_twice() -> FlightResult:
        slow = await asking(redis, first, ONE)
        # As if it had run out while its holder hung.
        redis.delete(lease_key(ONE))
        next_holder = await asking(redis, second, ONE)
        first.unblock.set()
        await slow
        assert (await (await asking(redis, third, ONE, patience=0))).under_way() == [ONE]
        second.unblock.set()
        await next_holder
        return await (await asking(redis, fourth, ONE))

    assert asyncio.run(fail_twice()).answers == {ONE: a_score()}
    assert not third.asked
    assert fourth.asked == {ONE: 1}


def test_fault_03_who_loses_patience_fails_nobody_else(redis: Redis) -> None:
    """ORES marked a task that one waiter gave up as failed for all, while it still ran.

    Source: ores/scoring_systems/celery_queue.py, `mark_as_failure` in `_process_missing_scores`.
    """
    endpoint = HeldEndpoint()

    async def lose_patience() -> tuple[FlightResult, tuple[FlightResult, FlightResult]]:
        holder, patient = await asking(redis, endpoint, ONE), await asking(redis, endpoint, ONE)
        impatient = await (await asking(redis, endpoint, ONE, patience=0.02))
        assert redis.get(result_key(ONE)) is None
        endpoint.unblock.set()
        return impatient, await asyncio.gather(holder, patient)

    impatient, others = asyncio.run(lose_patience())

    assert impatient.under_way() == [ONE]
    assert [each.answers for each in others] == [{ONE: a_score()}] * 2


def test_fault_04_a_worker_that_dies_holds_its_score_no_longer_than_its_lease(redis: Redis) -> None:
    """ORES pointed to a dead worker's task for 300 s, and every caller burned its whole time-out.

    Source: ores/task_tracker/redis_task_tracker.py (ttl), config/00-main.yaml (`task_acks_late` is not set).
    """
    endpoint = CountingEndpoint(seconds=0.02)
    a_redis_tier(redis, replace(LIFETIMES, lease=0.2)).acquire([ONE], "token of the dead", {})

    async def wait_for_the_dead() -> list[FlightResult]:
        return await asyncio.gather(*[await asking(redis, endpoint, ONE) for _ in range(5)])

    result = asyncio.run(wait_for_the_dead())

    assert endpoint.asked == {ONE: 1}
    assert [each.answers for each in result] == [{ONE: a_score()}] * 5


def test_fault_05_a_score_is_not_lost_with_those_who_waited_for_it(redis: Redis) -> None:
    """ORES left it to the waiting web process to cache a score, and workers did not look into the cache.

    Source: ores/scoring_systems/scoring_system.py, `score`.
    """
    endpoint, later = HeldEndpoint(), CountingEndpoint()

    async def nobody_waits() -> FlightResult:
        holder, waiter = await asking(redis, endpoint, ONE), await asking(redis, later, ONE)
        await listened_to(redis, ONE)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        endpoint.unblock.set()
        await holder
        return await (await asking(redis, later, ONE))

    result = asyncio.run(nobody_waits())

    assert result.cached == {ONE}
    assert not later.asked


def test_fault_06_waiters_neither_store_nor_release_what_they_waited_for(redis: Redis) -> None:
    """In ORES every waiter wrote the score to the cache and deleted the task's key.

    Source: ores/scoring_systems/scoring_system.py, ores/scoring_systems/celery_queue.py.
    """
    endpoint = HeldEndpoint()

    async def nine_want_one() -> list[FlightResult]:
        tasks = [await asking(redis, endpoint, ONE) for _ in range(9)]
        await listened_to(redis, ONE, 8)
        redis.config_resetstat()
        endpoint.unblock.set()
        return await asyncio.gather(*tasks)

    result = asyncio.run(nine_want_one())

    commands = redis.info("commandstats")
    # A score that is stored is told of, and so is the end of its lease; renewals of a slow holder are told to nobody.
    assert (commands["cmdstat_publish"]["calls"], commands["cmdstat_del"]["calls"]) == (2, 1)
    assert [each.answers for each in result] == [{ONE: a_score()}] * 9


def test_fault_07_many_scores_are_waited_for_together_and_not_one_after_the_other(redis: Redis) -> None:
    """ORES waited for each revision and model in turn, each for the whole time-out.

    Source: ores/scoring_systems/celery_queue.py, `_process_missing_scores`.
    """
    ids, endpoint = some_ids(50), CountingEndpoint()
    a_redis_tier(redis).acquire(ids, "token of the living", {})
    redis.config_resetstat()

    result = asyncio.run(a_flight(redis).scores(ids, endpoint, patience=0.05))

    assert result.under_way() == ids
    # When it comes, when it listens, and when its patience ends.
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] <= 4


def test_fault_10_requests_for_overlapping_models_compute_no_score_twice(redis: Redis) -> None:
    """ORES tracked single models and started tasks for sets of them, so {A}, {A, B} and {B} were three tasks.

    Source: ores/scoring_systems/celery_queue.py, `_process_missing_scores`.
    """
    endpoint = HeldEndpoint()

    async def overlap() -> list[FlightResult]:
        tasks = [await asking(redis, endpoint, *ids) for ids in ([ONE], [ONE, OTHER], [OTHER])]
        await asyncio.sleep(0)
        endpoint.unblock.set()
        return await asyncio.gather(*tasks)

    result = asyncio.run(overlap())

    assert endpoint.asked == {ONE: 1, OTHER: 1}
    assert [(each.called, each.shared) for each in result] == [(1, 0), (1, 1), (0, 1)]


def test_fault_11_no_way_of_asking_is_left_out_of_sharing(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    """ORES went round its cache and its tracker for requests with `features`.

    Source: ores/scoring_systems/scoring_system.py, `score`; T179509.
    """
    drains, answers = services_for(), services_for()
    save(database, edits(1))
    drain(drains)
    calls, sent = endpoint.summary()["calls"], list[str]()

    demanded = answers.runner.run(
        score_on_demand(answers.wiki("enwiki"), ONE, answers.flights["enwiki"], answers.client)
    )
    requested = request_scores(answers, answers.wiki("enwiki"), [ONE, OTHER], send=sent.append)

    assert requested.answers[ONE] == demanded
    assert (list(requested.answers), sent) == ([ONE, OTHER], [])
    assert endpoint.summary()["calls"] == calls


def test_fault_12_a_result_that_ran_out_is_not_waited_for(redis: Redis) -> None:
    """In ORES a task whose result had expired was PENDING for ever to whoever attached to it.

    Source: ores/scoring_systems/celery_queue.py, `AsyncResult` of what the tracker names.
    """
    tier, endpoint = a_redis_tier(redis), CountingEndpoint()
    tier.acquire([ONE], "token of the holder", {})

    async def come_too_late() -> FlightResult:
        waiter = await asking(redis, endpoint, ONE)
        await listened_to(redis, ONE)
        # Nobody looks in between.
        tier.finish([ONE], {ONE: a_score()}, "token of the holder")
        redis.delete(result_key(ONE))
        return await waiter

    assert asyncio.run(come_too_late()).answers == {ONE: a_score()}
    assert endpoint.asked == {ONE: 1}
