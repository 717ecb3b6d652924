"""Single flight over a Redis Cluster, where a script may touch the keys of one slot only."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis, RedisCluster
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from tests.builders import a_score
from tests.worker.flight.cluster import Cluster, redis_cluster
from tests.worker.flights import LIFETIMES, a_redis_tier, some_ids
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.redis_tier import RedisTier, lease_key, result_key
from worker.flight.tiers import Acquired, End, TierUnavailable

IDS = some_ids(20)
MINE, OTHER = "a" * 32, "b" * 32
#: Braces mark the part of a key that decides its slot; no wiki, model or version has them.
words = st.text(st.characters(min_codepoint=33, exclude_categories=["C"], exclude_characters=":{}"), min_size=1)


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def client(shared_cluster: Cluster) -> Iterator[RedisCluster]:
    """A client of the module's cluster, which is empty."""
    with RedisCluster("127.0.0.1", shared_cluster.ports[0]) as client:
        client.flushall()
        yield client


@pytest.fixture
def tier(client: RedisCluster, shared_cluster: Cluster) -> RedisTier:
    """Listens at a node other than the first."""
    return RedisTier(client, partial(AsyncRedis, port=shared_cluster.ports[1]), LIFETIMES)


def nodes_of(ids: list[ScoreId]) -> set[int]:
    return {key_slot(result_key(score_id).encode()) * 3 // 16_384 for score_id in ids}


def test_the_ids_of_these_tests_are_spread_over_all_nodes() -> None:
    assert nodes_of(IDS) == {0, 1, 2}


def test_a_client_that_knows_no_slots_is_refused_there(shared_cluster: Cluster) -> None:
    with Redis(port=shared_cluster.ports[0]) as plain, pytest.raises(TierUnavailable, match=r"CROSSSLOT|same slot"):
        a_redis_tier(plain).acquire(IDS, MINE, {})


@given(wiki=words, model=words, revision=st.integers(1, 2**63 - 1), version=words)
def test_lease_and_result_of_an_id_share_a_slot(wiki: str, model: str, revision: int, version: str) -> None:
    score_id = ScoreId(wiki, model, revision, version)

    assert key_slot(lease_key(score_id).encode()) == key_slot(result_key(score_id).encode())


def test_one_of_two_gets_all_leases_of_a_batch_that_lies_on_all_nodes(tier: RedisTier) -> None:
    first, second = tier.acquire(IDS, MINE, {}), tier.acquire(IDS, OTHER, {})

    assert set(first.ours) == set(IDS)
    assert {lease.token for lease in second.under_way.values()} == {MINE}
    assert set(second.under_way) == set(IDS)


def test_answers_on_all_nodes_are_stored_and_seen(tier: RedisTier, client: RedisCluster) -> None:
    tier.acquire(IDS, MINE, {})
    answers: dict[ScoreId, Answer] = dict.fromkeys(IDS, a_score())

    assert tier.finish(IDS, answers, MINE) == answers
    assert tier.acquire(IDS, OTHER, {}) == Acquired(cached=dict.fromkeys(IDS, a_score()))
    assert tier.ends(IDS) == dict.fromkeys(IDS, End(a_score()))
    assert client.keys("ores-lease:*", target_nodes=RedisCluster.PRIMARIES) == []


def test_the_answers_that_stood_already_come_back_under_their_own_ids(tier: RedisTier) -> None:
    stood: dict[ScoreId, Answer] = {IDS[3]: a_score(prediction="first"), IDS[11]: a_score(prediction="second")}
    tier.finish(stood, stood, OTHER)
    answers: dict[ScoreId, Answer] = dict.fromkeys(IDS, a_score())

    assert tier.finish(IDS, answers, MINE) == answers | stood


def test_ends_on_all_nodes_are_handed_over(tier: RedisTier) -> None:
    down = NoAnswer("down", Failure.OUTAGE)
    tier.acquire(IDS, MINE, {})
    tier.finish(IDS, dict.fromkeys(IDS, down), MINE)

    assert tier.acquire(IDS, OTHER, dict.fromkeys(IDS, MINE)) == Acquired(handed_over=dict.fromkeys(IDS, down))


def test_leases_on_all_nodes_are_renewed(tier: RedisTier, client: RedisCluster) -> None:
    tier.acquire(IDS, MINE, {})
    for score_id in IDS:
        client.pexpire(lease_key(score_id), 1_000)

    tier.renew(IDS, MINE)

    assert all(client.pttl(lease_key(score_id)) > 30_000 for score_id in IDS)


@pytest.mark.parametrize("score_id", [IDS[0], IDS[1], IDS[2], IDS[3]], ids=str)
def test_an_end_on_any_node_is_heard_at_any_other(tier: RedisTier, score_id: ScoreId) -> None:
    tier.acquire([score_id], MINE, {})

    async def hear() -> float:
        loop = asyncio.get_running_loop()
        async with tier.listening([score_id]) as listen:
            started = loop.time()
            tier.finish([score_id], {}, MINE)
            await listen(30)
            return loop.time() - started

    assert asyncio.run(hear()) < 30


def test_a_cluster_that_is_gone_is_a_tier_that_does_not_answer(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster:
        retry = Retry(NoBackoff(), 1)
        with RedisCluster("127.0.0.1", cluster.ports[0], retry=retry, socket_connect_timeout=1) as client:
            tier = RedisTier(client, partial(AsyncRedis, port=cluster.ports[0]), LIFETIMES)
            tier.acquire(IDS, MINE, {})
            cluster.stop()

            with pytest.raises(TierUnavailable):
                tier.acquire(IDS, OTHER, {})


def test_what_is_under_way_says_how_long_its_lease_is(tier: RedisTier) -> None:
    tier.acquire(IDS[:1], MINE, {})

    (lease,) = tier.acquire(IDS[:1], OTHER, {}).under_way.values()

    assert lease.token == MINE
    assert lease.seconds == pytest.approx(35, abs=5)
