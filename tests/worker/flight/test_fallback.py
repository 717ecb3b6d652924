"""Redis goes and comes back: calls are shared all the time, a dead Redis is not tried again and again, one log line."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select
from structlog.testing import capture_logs

from outbox.database import Database, Engines
from tests.builders import a_score
from tests.clock import Clock
from tests.worker.flight.deaf_redis import deaf_redis
from tests.worker.flight.own_redis import OwnRedis, connect
from tests.worker.flight.two_tiers import until
from tests.worker.flights import LIFETIMES, CountingEndpoint, a_redis_tier, no_redis, some_ids
from worker.config.redis_state import PAUSE_SECONDS, RedisState
from worker.config.settings_sections import FlightSettings
from worker.domain.scores import Score, ScoreId
from worker.flight.database_tier import DatabaseTier
from worker.flight.fallback import FallbackTier
from worker.flight.flight import Flight
from worker.flight.process_tier import ProcessTier
from worker.flight.redis_tier import lease_key, result_key
from worker.flight.tables import score_flight
from worker.flight.tiers import Acquired

IDS = some_ids(3)
ONE = IDS[0]
MINE, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(own_redis: OwnRedis) -> Iterator[Redis]:
    """A client of the test's own Redis."""
    with connect(own_redis.port) as client:
        yield client


@pytest.fixture
def no_database(tmp_path: Path) -> Iterator[Database]:
    engines = Engines()
    yield engines.open("enwiki", f"sqlite:///{tmp_path / 'nowhere' / 'enwiki.db'}")
    engines.close()


def a_tier(redis: Redis, database: Database, clock: Clock, *, state: RedisState | None = None) -> FallbackTier:
    """The outer tier of one process, with its own idea of whether Redis is there."""
    state = state or RedisState(clock)
    return FallbackTier(a_redis_tier(redis), DatabaseTier(database, LIFETIMES), state)


def a_flight(redis: Redis, database: Database, clock: Clock, **settings: float) -> Flight:
    """The flight of a process of its own."""
    return Flight([ProcessTier(LIFETIMES), a_tier(redis, database, clock)], FlightSettings.model_validate(settings))


def rows(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(score_flight)).scalar_one()


def test_the_database_is_left_alone_while_redis_is_there(redis: Redis, database: Database, clock: Clock) -> None:
    tier = a_tier(redis, database, clock)
    tier.acquire(IDS, MINE, {})
    tier.renew(IDS, MINE)
    tier.finish(IDS, {ONE: a_score()}, MINE)

    assert set(tier.ends(IDS)) == {ONE}
    assert rows(database) == 0


def test_without_redis_leases_and_answers_are_shared_through_the_database(
    own_redis: OwnRedis, client: Redis, database: Database, clock: Clock
) -> None:
    own_redis.stop()
    one, another = a_tier(client, database, clock), a_tier(client, database, clock)
    assert one.acquire(IDS, MINE, {}).ours == IDS
    one.renew(IDS, MINE)
    one.finish([ONE], {ONE: a_score()}, MINE)

    acquired = another.acquire(IDS, OTHER, {})

    assert acquired.cached == {ONE: a_score()}
    assert {score_id: lease.token for score_id, lease in acquired.under_way.items()} == dict.fromkeys(IDS[1:], MINE)
    assert another.ends(IDS)[ONE].answer == a_score()


def test_once_redis_is_back_it_is_used_again(
    own_redis: OwnRedis, client: Redis, database: Database, clock: Clock
) -> None:
    tier = a_tier(client, database, clock)
    own_redis.stop()
    tier.acquire([ONE], MINE, {})
    own_redis.start()
    assert tier.acquire([ONE], OTHER, {}).under_way
    clock.now += PAUSE_SECONDS

    assert tier.acquire([ONE], OTHER, {}).ours == [ONE]
    assert client.get(lease_key(ONE)) == OTHER.encode()


def test_that_redis_went_and_came_back_is_told_once_however_many_notice(
    own_redis: OwnRedis, client: Redis, database: Database, clock: Clock
) -> None:
    state = RedisState(clock)
    tiers = [a_tier(client, database, clock, state=state) for _ in range(3)]
    with capture_logs() as logs:
        for tier in tiers:
            tier.acquire([ONE], MINE, {})
        own_redis.stop()
        for tier in tiers * 2:
            tier.acquire([ONE], MINE, {})
            clock.now += PAUSE_SECONDS
        own_redis.start()
        for tier in tiers * 2:
            tier.acquire([ONE], MINE, {})

    assert [line["event"] for line in logs] == ["redis_gone", "redis_back"]


def test_a_second_loss_is_told_again(own_redis: OwnRedis, client: Redis, database: Database, clock: Clock) -> None:
    tier = a_tier(client, database, clock)
    with capture_logs() as logs:
        for _ in range(2):
            own_redis.stop()
            tier.ends([ONE])
            own_redis.start()
            clock.now += PAUSE_SECONDS
            tier.ends([ONE])

    assert [line["event"] for line in logs] == ["redis_gone", "redis_back"] * 2


def test_nobody_knocks_at_a_redis_that_is_gone_before_the_pause_is_over(database: Database, clock: Clock) -> None:
    with deaf_redis() as deaf, connect(deaf.port) as client:
        state = RedisState(clock)
        tiers = [a_tier(client, database, clock, state=state) for _ in range(3)]
        tiers[0].acquire([ONE], MINE, {})
        first = deaf.knocks
        for tier in tiers:
            use_and_listen(tier)
        during_the_pause = deaf.knocks - first
        clock.now += PAUSE_SECONDS
        for tier in tiers:
            use_and_listen(tier)

        assert first > 0
        assert during_the_pause == 0
        assert deaf.knocks == 2 * first


def use_and_listen(tier: FallbackTier) -> None:
    async def listen() -> None:
        async with tier.listening([ONE]) as listen:
            await listen(0.01)

    tier.acquire([ONE], MINE, {})
    tier.renew([ONE], MINE)
    tier.finish([ONE], {}, MINE)
    tier.ends([ONE])
    asyncio.run(listen())


def test_who_wants_to_listen_when_redis_goes_looks_at_the_database(
    own_redis: OwnRedis, client: Redis, database: Database, clock: Clock
) -> None:
    tier = a_tier(client, database, clock)
    own_redis.stop()

    async def listen() -> None:
        async with tier.listening([ONE]) as listen:
            await asyncio.wait_for(listen(60), 50)

    asyncio.run(listen())


def test_an_answer_that_came_while_redis_was_gone_costs_other_processes_no_call(
    own_redis: OwnRedis, client: Redis, database: Database, clock: Clock
) -> None:
    """Redis goes between call and answer."""

    def go(_: ScoreId) -> Score:
        own_redis.stop()
        return a_score()

    asyncio.run(a_flight(client, database, clock).scores([ONE], CountingEndpoint(go)))
    later = CountingEndpoint()

    result = asyncio.run(a_flight(client, database, clock).scores([ONE], later))

    assert not later.asked
    assert (result.answers, result.shared) == ({ONE: a_score()}, 1)


def test_who_waits_for_another_when_redis_goes_gets_an_answer_all_the_same(
    own_redis: OwnRedis, client: Redis, database: Database, clock: Clock
) -> None:
    a_tier(client, database, clock).acquire([ONE], MINE, {})
    endpoint = CountingEndpoint()

    async def wait_while_redis_goes() -> None:
        waiter = asyncio.create_task(a_flight(client, database, clock).scores([ONE], endpoint, patience=60))
        await until(lambda: client.pubsub_numsub(lease_key(ONE)) == [(lease_key(ONE).encode(), 1)])
        own_redis.stop()
        assert (await waiter).answers == {ONE: a_score()}

    asyncio.run(wait_while_redis_goes())

    assert endpoint.asked == {ONE: 1}


def test_many_processes_without_redis_cost_one_call(database: Database, clock: Clock) -> None:
    endpoint = CountingEndpoint(seconds=0.05)

    async def all_at_once() -> list[dict[ScoreId, object]]:
        with no_redis() as gone:
            flights = [a_flight(gone, database, clock) for _ in range(4)]
            return [
                dict(result.answers) for result in await asyncio.gather(*(f.scores(IDS, endpoint) for f in flights))
            ]

    assert asyncio.run(all_at_once()) == [dict.fromkeys(IDS, a_score())] * 4
    assert endpoint.asked == dict.fromkeys(IDS, 1)


def test_without_redis_and_database_every_score_is_asked_for_but_not_shared(
    no_database: Database, clock: Clock
) -> None:
    endpoint = CountingEndpoint()
    with no_redis() as gone, capture_logs() as logs:
        for _ in range(2):
            result = asyncio.run(a_flight(gone, no_database, clock).scores(IDS, endpoint))
            assert result.answers == dict.fromkeys(IDS, a_score())

    assert endpoint.asked == dict.fromkeys(IDS, 2)
    assert [line["event"] for line in logs] == ["redis_gone", "tier_unavailable"] * 2


def test_without_redis_and_database_one_process_still_shares_its_calls(no_database: Database, clock: Clock) -> None:
    endpoint = CountingEndpoint(seconds=0.01)

    async def all_at_once() -> None:
        with no_redis() as gone:
            flight = a_flight(gone, no_database, clock)
            await asyncio.gather(*(flight.scores(IDS, endpoint) for _ in range(5)))

    asyncio.run(all_at_once())

    assert endpoint.asked == dict.fromkeys(IDS, 1)


def test_an_answer_in_redis_is_there_again_once_redis_answers_again(redis: Redis, database: Database) -> None:
    clock = Clock()
    state = RedisState(clock)
    tier = a_tier(redis, database, clock, state=state)
    tier.finish([], {ONE: a_score()}, MINE)
    assert redis.exists(result_key(ONE))
    state.is_gone(ConnectionError("a hiccup"))
    assert tier.acquire([ONE], MINE, {}).ours == [ONE]
    clock.now += PAUSE_SECONDS

    assert tier.acquire([ONE], OTHER, {}) == Acquired(cached={ONE: a_score()})
