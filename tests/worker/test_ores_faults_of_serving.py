"""The faults that ORES had in serving requests and in its connections, one test each: what does not happen here.

They are told of wikimedia/ores @ 8369ea0.
"""

import asyncio
import json
import multiprocessing
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import Celery
from pydantic import TypeAdapter
from redis import Redis
from redis.connection import SSLConnection

from tests.builders import some_settings
from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS, until
from tests.worker.asking import ask_raw, ids
from tests.worker.flights import CountingEndpoint, a_flight
from tests.worker.limits.pacing import at_once
from tests.worker.raw_server import Request, http, raw_server
from worker.app import configuration
from worker.bootstrap import Services, build_services, connect_redis
from worker.config.redis_state import RedisState
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, Score, ScoreError
from worker.endpoints.client import Endpoint
from worker.endpoints.limits import Ceilings
from worker.endpoints.pacer import Pacer
from worker.endpoints.shared_limits import SharedLimits

SCORE = {"score": {"prediction": False, "probability": {"true": 0.1, "false": 0.9}}}
GONE = {"error": {"type": "RevisionNotFound", "message": "gone"}}
BOTH = {"damaging": {"version": "0.5.1"}, "goodfaith": {"version": "0.5.1"}}


def ores_says(scores: dict[str, Any]) -> bytes:
    return http(200, json.dumps({"enwiki": {"models": BOTH, "scores": scores}}).encode())


def test_fault_08_one_models_error_costs_no_other_model_its_score(redis: Redis) -> None:
    """ORES kept errors by revision only, and reported one model's for all the models of the revision.

    Source: ores/scoring_systems/scoring_system.py, `score_errors`.
    """
    (damaging, goodfaith), one = ids([1]), {"1": {"damaging": SCORE, "goodfaith": GONE}}
    received, _ = ask_raw("ores", [damaging, goodfaith], lambda _: ores_says(one))

    async def shared() -> dict[Any, Any]:
        flight = a_flight(redis)
        await flight.scores(received, CountingEndpoint(lambda score_id: received[score_id]))
        return (await flight.scores(received, CountingEndpoint())).answers

    assert isinstance(received[damaging], Score)
    assert isinstance(received[goodfaith], ScoreError)
    assert asyncio.run(shared()) == received


def test_fault_09_a_model_that_a_reply_leaves_out_costs_no_other_score() -> None:
    """ORES raised a RuntimeError for a model missing in a shared result, and the whole request became a 500.

    Source: ores/scoring_systems/celery_queue.py, `_process_missing_scores`.
    """
    first, left_out, *others = wanted = ids([1, 2])

    answers, _ = ask_raw(
        "ores", wanted, lambda _: ores_says({"1": {"damaging": SCORE}, "2": {"damaging": SCORE, "goodfaith": SCORE}})
    )

    assert answers[left_out] == NoAnswer(f"the reply holds nothing for {left_out}")
    assert all(isinstance(answers[score_id], Score) for score_id in (first, *others))


def test_fault_13_the_limit_of_requests_at_once_is_not_read_from_another_setting(
    redis_url: str, redis: Redis, endpoint: EmulatedEndpoint
) -> None:
    """ORES read `connections_per_ip_hard` from `connections_per_ip`, so that the hard limit was the soft one.

    Source: ores/lock_manager/poolcounter.py.
    """
    # Held until there is one of each.
    endpoint.set(troubles=[{"latency_ms": 3_600_000}])
    limits = {"concurrency": 2, "requests_per_second": 1000, "scores_per_request": 2}
    settings = some_settings(redis_url=redis_url, scoring_url=endpoint.url, endpoint=limits, worker={"processes": 2})

    def ask_for_ten(worker: Services) -> None:
        worker.runner.run(worker.client.score(ids(range(1, 11))))

    with (
        closing(build_services(settings)) as one,
        closing(build_services(settings)) as other,
        ThreadPoolExecutor(2) as threads,
    ):
        asked = [threads.submit(ask_for_ten, worker) for worker in (one, other)]
        until(lambda: endpoint.summary()["in_flight"] == 2, "two requests at once")
        endpoint.set(troubles=[], latency_ms=50)
        for each in asked:
            each.result()

    summary = endpoint.summary()
    assert (summary["calls"], summary["peak_concurrency"]) == (20, 2)


def test_fault_14_a_slot_is_held_during_a_request_and_given_back_when_it_fails(redis: Redis) -> None:
    """ORES let its PoolCounter lock go before the work began, and later kept it when the work failed.

    Source: ores/lock_manager/poolcounter.py; bc21c77, 7e243b8.
    """
    ceilings = Ceilings(requests_per_second=1000, concurrency=1, slow_seconds=5, timeout_seconds=15)
    held: list[int] = []

    def slots() -> int:
        (key,) = redis.keys("ores-endpoint:*")
        return sum(slots for slots, _ in json.loads(redis.get(key) or "")["members"].values())

    def fail(_: Request) -> bytes:
        held.append(slots())
        return http(500, b"{}")

    async def fail_thrice() -> None:
        async with raw_server(fail) as server:
            limits = SharedLimits(server.url, ceilings, "worker", redis, RedisState(), time.monotonic)
            settings = some_settings(scoring_url=server.url).endpoints_by_name["default"]
            # A Redis that takes a moment is waited for here.
            endpoint = Endpoint(settings, Pacer(server.url, limits, patience=10, in_thread=at_once))
            for _ in range(3):
                with pytest.raises(EndpointUnavailable, match="status 500"):
                    await endpoint.ask("GET", "/", TypeAdapter(dict[str, Any]), wiki="enwiki")
                await asyncio.to_thread(until, lambda: not slots(), "places that were given back")
            await endpoint.close()

    asyncio.run(fail_thrice())

    assert held == [1, 1, 1]


def test_fault_15_a_request_is_given_up_in_time_in_whichever_thread_it_was_made() -> None:
    """ORES' time-outs are signals, which Python delivers to the main thread only.

    Source: tests/scoring_systems/tests/test_celery_queue.py, whose bodies are commented out for it.
    """
    (score_id,) = ids([1], models=["damaging"])

    with ThreadPoolExecutor(1) as other_thread:
        asked = other_thread.submit(ask_raw, "ores", [score_id], lambda _: None, timeout_seconds=0.1)
        answers, server = asked.result(timeout=PATIENCE_SECONDS)

    answer = answers[score_id]
    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.LATE
    # None where it was late before it was sent.
    assert len(server.requests) <= 1


def test_fault_16_whoever_scores_can_tell_the_model_versions_and_starts_no_process(
    redis_url: str, redis: Redis, endpoint: EmulatedEndpoint
) -> None:
    """In ORES only workers had the models and only web processes their versions; a sub-process loaded each model.

    Source: ores/scoring_context.py, `ServerScoringContext` and `ClientScoringContext`; f3b1ca6.
    """
    endpoint.set(versions={"damaging": "0.7.0"})

    with closing(build_services(some_settings(redis_url=redis_url, scoring_url=endpoint.url))) as services:
        client = services.client
        versions = services.runner.run(client.versions("enwiki", ["damaging", "goodfaith"], None))
        answers = services.runner.run(client.score(ids([1])))
        assert multiprocessing.active_children() == []

    received = {answer.model: answer.version for answer in answers.values() if not isinstance(answer, NoAnswer)}
    assert received == versions
    assert versions["damaging"] == "0.7.0"


@pytest.fixture
def patroller(redis: Redis) -> Iterator[str]:
    """A Redis user of that name."""
    redis.acl_setuser("patroller", enabled=True, passwords="+s/cret", keys="*", commands=["+@all"])
    yield "patroller"
    redis.acl_deluser("patroller")


def test_fault_17_nothing_that_the_url_of_redis_says_is_lost(redis_url: str, patroller: str) -> None:
    """ORES took host, port, password and database from the URL, and neither TLS nor user name nor parameters.

    Source: ores/scoring_systems/celery_queue.py, `redis_from_url`.
    """
    at = f"{patroller}:s%2Fcret@{urlsplit(redis_url).hostname}:{urlsplit(redis_url).port}/3"

    with connect_redis(some_settings(redis_url=f"redis://{at}?client_name=patrol")) as plain:
        here = plain.client_info()
    with connect_redis(some_settings(redis_url=f"rediss://{at}")) as secure:
        assert issubclass(secure.connection_pool.connection_class, SSLConnection)
    with Celery(set_as_current=False) as app:
        app.config_from_object(configuration(some_settings(redis_url=f"rediss://{at}")))
        parameters: dict[str, Any] = app.backend.connparams  # type: ignore[attr-defined]  # untyped
        broker = app.connection()

    assert (here["user"], here["db"], here["name"]) == (patroller, 3, "patrol")
    assert (parameters["username"], parameters["password"], parameters["db"]) == (patroller, "s/cret", 3)
    assert parameters["connection_class"] is SSLConnection
    assert parameters["ssl_cert_reqs"] is ssl.CERT_REQUIRED
    assert broker.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
