"""The faults that ORES had in limiting its clients, in time-outs and in connections, met at the front door.

Source: wikimedia/ores ores/lock_manager/poolcounter.py, ores/scoring_context.py and
ores/scoring_systems/celery_queue.py @ 8369ea0.
"""

import asyncio
import multiprocessing
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

import tests.web.test_ores_faults as of_sharing
from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS, until
from tests.web.conftest import OpenFront
from tests.web.documents import VERSION, scores
from tests.web.fronts import Front, Reply

PATH = "/v3/scores/enwiki/1/damaging"
ONE = scores(1, models=("damaging",))
CLIENT, OTHER = "203.0.113.7", "203.0.113.8"
ALONE = {"requests_per_client": 1, "waiting_per_client": 0}
#: An endpoint that hangs until its settings are changed.
HANGS: dict[str, Any] = {"troubles": [{"latency_ms": 3_600_000}]}


@pytest.mark.parametrize(("at_once", "waiting"), [(1, 0), (1, 3), (3, 1)])
def test_fault_13_the_limits_of_a_client_are_not_read_from_one_another(
    open_front: OpenFront, endpoint: EmulatedEndpoint, at_once: int, waiting: int
) -> None:
    """ORES read `connections_per_ip_hard` from `connections_per_ip`, so that the hard limit was the soft one."""
    front = open_front(web={"requests_per_client": at_once, "waiting_per_client": waiting})
    front.http = front.client_at(CLIENT)
    endpoint.set(**HANGS)
    # Each for another score, so that none is shared.
    paths = [f"/v3/scores/enwiki/{each}/damaging" for each in range(1, at_once + waiting + 3)]

    async def ask_and_wait_until_all_that_may_are_served() -> list[Reply]:
        asking = asyncio.gather(*(front.http.get(path) for path in paths))
        all_hang = partial(until, lambda: endpoint.summary()["peak_concurrency"] == at_once, "all are served")
        await asyncio.to_thread(all_hang)
        await asyncio.to_thread(endpoint.set, troubles=[])
        return await asking

    found = [reply.status_code for reply in front.run(ask_and_wait_until_all_that_may_are_served())]
    assert (found.count(200), found.count(429)) == (at_once + waiting, 2)
    assert endpoint.summary()["peak_concurrency"] == at_once


async def fail(front: Front, endpoint: EmulatedEndpoint) -> None:
    await asyncio.to_thread(endpoint.set, failures={"rate": 1, "status": 500})
    assert (await front.http.get(PATH)).json()["enwiki"]["scores"]["1"]["damaging"].keys() == {"error"}


async def be_late(front: Front, endpoint: EmulatedEndpoint) -> None:
    await asyncio.to_thread(endpoint.set, **HANGS)
    assert (await front.http.get(PATH)).json()["enwiki"]["scores"]["1"]["damaging"]["error"]["type"] == "TimeoutError"


async def go_away(front: Front, endpoint: EmulatedEndpoint) -> None:
    await asyncio.to_thread(endpoint.set, latency_ms=200)
    asked = asyncio.create_task(front.http.get(PATH))
    await front.workers.until_sent("score")
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


async def ask_for_nothing_there_is(front: Front, endpoint: EmulatedEndpoint) -> None:
    assert (await front.http.get("/v3/scores/enwiki/1/damaging?model_info=nothing")).status_code == 400


@pytest.mark.parametrize("end", [fail, be_late, go_away, ask_for_nothing_there_is])
def test_fault_14_a_place_is_given_back_however_its_request_ends(
    open_front: OpenFront, endpoint: EmulatedEndpoint, end: object
) -> None:
    """ORES kept the lock of a client when the work failed (until 7e243b8)."""
    front = open_front(web=ALONE | {"timeout_seconds": 4})
    front.http = front.client_at(CLIENT)
    front.run(end(front, endpoint))  # type: ignore[operator]  # one of those above
    endpoint.reset()

    assert front.get("/v3/scores/enwiki/2/damaging").json()["enwiki"]["scores"] == scores(2, models=("damaging",))


def test_fault_14_a_place_is_held_while_its_request_is_worked_on_and_is_nobody_elses(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    """ORES let the lock go before the work began (until bc21c77), and one socket served the locks of all clients."""
    front = open_front(web=ALONE)
    front.http = front.client_at(CLIENT)
    endpoint.set(troubles=[{"wikis": ["frwiki"], "latency_ms": 3_600_000}])

    async def ask() -> list[int]:
        first = asyncio.create_task(front.http.get("/v3/scores/frwiki/1/damaging"))
        await front.workers.until_sent("score")
        second = await front.http.get("/v3/scores/enwiki/2/damaging")
        other = await front.client_at(OTHER).get("/v3/scores/enwiki/3/damaging")
        await asyncio.to_thread(endpoint.set, troubles=None)
        return [(await first).status_code, second.status_code, other.status_code]

    assert front.run(ask()) == [200, 429, 200]


def test_fault_15_a_request_is_given_up_in_time_in_whichever_thread_it_is_served(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    """ORES' time-outs were signals, which Python delivers to the main thread only."""
    front = open_front(web={"timeout_seconds": 0.3})
    front.workers.are_there = False

    with ThreadPoolExecutor(1) as other_thread:
        found = other_thread.submit(front.json, PATH).result(timeout=PATIENCE_SECONDS)

    assert found["enwiki"]["scores"] == of_sharing.LATE


def test_fault_16_one_request_gets_scores_and_what_is_known_of_their_model(front: Front) -> None:
    """In ORES only workers had the models and only web processes what is known of them, loaded in a process each."""
    found = front.json(f"{PATH}?model_info=version|type")["enwiki"]

    assert found["scores"] == ONE
    assert found["models"] == {"damaging": {"type": "GradientBoosting", "version": VERSION}}
    assert multiprocessing.active_children() == []


@pytest.fixture
def patroller(redis: Redis) -> Iterator[str]:
    """A Redis user of that name."""
    redis.acl_setuser("patroller", enabled=True, passwords="+s/cret", keys="*", channels="*", commands=["+@all"])
    yield "patroller"
    redis.acl_deluser("patroller")


def test_fault_17_nothing_that_the_url_of_redis_says_is_lost(
    open_front: OpenFront, redis: Redis, redis_url: str, patroller: str
) -> None:
    """ORES took host, port, password and database from the URL, and neither user name nor parameters."""
    at = urlsplit(redis_url)
    other = f"redis://{patroller}:s%2Fcret@{at.hostname}:{at.port}/5?client_name=patrol"
    front = open_front(redis_url=other)

    assert front.json(PATH)["enwiki"]["scores"] == ONE
    assert {client["user"] for client in redis.client_list() if client["name"] == "patrol"} == {patroller}
    assert redis.dbsize() == 0
    with Redis.from_url(f"redis://{at.hostname}:{at.port}/5") as there:
        assert there.dbsize() > 0
        there.flushdb()


def test_each_of_the_17_faults_has_a_test_at_the_door_that_the_documentation_names() -> None:
    tests = {name for module in (globals(), vars(of_sharing)) for name in module if name.startswith("test_fault_")}
    named = re.findall(r"test_fault_\d\d_\w+", Path("docs/ores-api.md").read_text())

    assert {name[:13] for name in tests} == {f"test_fault_{number:02}" for number in range(1, 18)}
    assert set(named) == tests
