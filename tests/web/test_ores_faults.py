"""The faults of ORES' sharing of scores, met at the front door; numbered as in `tests/worker/test_ores_faults_of_*`.

Those of serving are in `test_ores_faults_of_serving.py`; `docs/ores-api.md` lists them all.

Source: wikimedia/ores ores/scoring_systems/celery_queue.py and scoring_system.py @ 8369ea0.
"""

import asyncio
import time

import pytest
from redis import Redis

from tests.endpoint import EmulatedEndpoint
from tests.web.conftest import OpenFront
from tests.web.documents import gone, score, scores
from tests.web.fronts import Front
from worker.domain.scores import ScoreId
from worker.flight import asked
from worker.flight.redis_tier import result_key

PATH = "/v3/scores/enwiki/1/damaging"
ONE = scores(1, models=("damaging",))
LATE = {"1": {"damaging": {"error": {"type": "TimeoutError", "message": "Timed out after 0.3 seconds."}}}}
HASTY = {"timeout_seconds": 0.3}
READS = {"mget", "llen", "subscribe", "unsubscribe", "hello", "ping", "info", "flushdb"}
#: What connecting and counting take.
OTHERS = {"client", "config", "select"}


def test_fault_01_requests_that_come_during_a_slow_call_start_no_second_one(
    front: Front, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(latency_ms=150)

    async def work() -> None:
        asks = []
        for _ in range(6):
            asks.append(asyncio.create_task(front.http.get(PATH)))
            await asyncio.sleep(0.03)
        assert {reply.status_code for reply in await asyncio.gather(*asks)} == {200}

    front.run(work())
    assert endpoint.summary()["scores"] == 1


def test_fault_02_a_call_that_failed_is_no_answer_to_who_comes_later(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(failures={"rate": 1, "status": 500})
    failed = front.json(PATH)["enwiki"]["scores"]["1"]["damaging"]
    front.workers.until_idle()
    endpoint.set(failures=None)

    assert failed.keys() == {"error"}
    assert front.json(PATH)["enwiki"]["scores"] == ONE


def test_fault_03_who_loses_patience_fails_nobody_else(open_front: OpenFront, endpoint: EmulatedEndpoint) -> None:
    hasty, patient = open_front(web=HASTY), open_front()
    endpoint.set(latency_ms=700)

    assert hasty.json(PATH)["enwiki"]["scores"] == LATE
    assert patient.json(PATH)["enwiki"]["scores"] == ONE
    assert endpoint.summary()["scores"] == 1


def test_fault_04_what_a_worker_took_with_it_is_asked_for_again(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ASK_AGAIN_SECONDS", 1)
    front.workers.are_there = False

    async def work() -> object:
        asked = asyncio.create_task(front.http.get(PATH))
        await front.workers.until_sent("score")
        front.workers.are_there = True
        return (await asked).json()["enwiki"]["scores"]

    assert front.run(work()) == ONE
    assert front.workers.tasks("score") >= 2


def test_fault_05_a_score_is_not_lost_with_those_who_waited_for_it(
    open_front: OpenFront, endpoint: EmulatedEndpoint, redis: Redis
) -> None:
    front = open_front(web=HASTY)
    endpoint.set(latency_ms=500)
    assert front.json(PATH)["enwiki"]["scores"] == LATE
    front.workers.close()
    endpoint.set(latency_ms=0)

    assert open_front().json(PATH)["enwiki"]["scores"] == ONE
    assert endpoint.summary()["scores"] == 1


def test_fault_06_who_waits_neither_stores_nor_releases(front: Front, redis: Redis) -> None:
    front.workers.are_there = False
    redis.config_resetstat()

    async def work() -> None:
        asked = asyncio.create_task(front.http.get(PATH))
        await front.workers.until_sent("score")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    front.run(work())
    # Before Redis 7 there are no statistics of subcommands.
    commands = {name.removeprefix("cmdstat_").partition("|")[0] for name in redis.info("commandstats")}
    assert commands <= READS | OTHERS


def test_fault_07_the_time_of_a_request_is_that_of_all_its_scores_together(open_front: OpenFront) -> None:
    front = open_front(web=HASTY)
    front.workers.are_there = False
    began = time.monotonic()

    front.json(f"/v3/scores/enwiki/?revids={'|'.join(map(str, range(1, 51)))}")

    # A hundred scores, each of which would have 0.3 s.
    assert time.monotonic() - began < 20


def test_fault_08_one_models_error_costs_no_other_model_its_score(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    front = open_front(endpoint={"kind": "lift_wing"})
    endpoint.set(troubles=[{"models": ["damaging"], "failures": {"rate": 1, "status": 500}}])

    found = front.json("/v3/scores/enwiki/1/")["enwiki"]["scores"]["1"]

    assert found["goodfaith"] == {"score": score("goodfaith", 1)}
    assert found["damaging"]["error"]["type"] == "RequestError"


def test_fault_09_a_model_without_an_answer_does_not_fail_the_request(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    front = open_front(endpoint={"kind": "lift_wing"})
    endpoint.set(vanished_models=["damaging"], missing_revisions=[2])

    found = front.json("/v3/scores/enwiki/?revids=1|2")["enwiki"]["scores"]

    assert found["1"]["goodfaith"] == {"score": score("goodfaith", 1)}
    assert found["2"]["goodfaith"]["error"]["type"] == gone(2)["error"]["type"]
    assert {found[each]["damaging"]["error"]["type"] for each in found} == {"RequestError"}


def test_fault_10_requests_for_overlapping_models_compute_no_score_twice(
    front: Front, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(latency_ms=100)
    front.at_once([PATH, "/v3/scores/enwiki/1/", "/v3/scores/enwiki/1/goodfaith"])

    assert endpoint.summary()["scores"] == 2


def test_fault_11_requests_with_features_are_shared_and_kept_as_well(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(latency_ms=100)
    front.at_once([f"{PATH}?features"] * 5)
    front.json(f"{PATH}?features")

    assert endpoint.summary()["scores"] == 1


def test_fault_12_a_result_that_ran_out_is_asked_for_again(open_front: OpenFront, redis: Redis) -> None:
    front, other = open_front(), open_front()
    front.json(PATH)
    redis.delete(result_key(ScoreId("enwiki", "damaging", 1, "0.5.1")))

    assert other.json(PATH)["enwiki"]["scores"] == ONE
    assert other.workers.tasks("score") == 1
