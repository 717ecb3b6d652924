"""The front door before real workers: asked over HTTP, as bots and wikis ask it."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.commands import OUTPATROL
from tests.acceptance.expectations import sample_edits
from tests.acceptance.front_door import Front, score_of
from tests.acceptance.running import running
from tests.patience import PATIENCE_SECONDS, until
from tests.services import stop_process
from worker.emulators.scoring.shapes import probabilities

#: Long enough for what a killed worker had in hand to be asked for again.
WEB = {"timeout_seconds": 60, "port": 0}
TWENTY = range(5001, 5021)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory: Path = tmp_path_factory.mktemp("front_door")
    databases = {wiki: f"sqlite:///{directory}/{wiki}.db" for wiki in ("itwiki", "frwiki")}
    with running(
        directory,
        databases,
        endpoint={"concurrency": 200, "timeout_seconds": 6},
        web=WEB,
        flight={"call_seconds": 8},
        redis_timeout_seconds=3,
    ) as here:
        front = Front(here)
        yield front
        front.close()


@pytest.fixture(autouse=True)
def endpoint_as_it_was(front: Front) -> None:
    front.here.endpoint.reset()


def test_a_score_that_nobody_has_is_had_from_the_workers(front: Front) -> None:
    reply = front.get("/v3/scores/itwiki/7/damaging")

    assert reply.json()["itwiki"]["models"] == {"damaging": {"version": "0.5.1"}}
    assert score_of(reply, "itwiki", 7) == probabilities(0, "itwiki", "damaging", 7)


def test_what_was_drained_is_answered_without_a_call(front: Front) -> None:
    edits = sample_edits("itwiki", 40)
    front.here.save(edits)
    front.here.until_all_is_kept()
    asked = front.here.endpoint.summary()["scores"]
    revisions = [edit.revision for edit in edits]

    reply = front.get(f"/v3/scores/itwiki/?revids={'|'.join(map(str, revisions))}")

    assert [score_of(reply, "itwiki", each) for each in revisions] == [
        probabilities(0, "itwiki", "damaging", each) for each in revisions
    ]
    assert front.here.endpoint.summary()["scores"] == asked


def test_two_hundred_requests_at_once_for_twenty_scores_cost_twenty(front: Front) -> None:
    front.here.endpoint.set(latency_ms=200)
    path = f"/v3/scores/itwiki/?models=damaging&revids={'|'.join(map(str, TWENTY))}"

    replies = front.at_once([path] * 200)

    assert {reply.status_code for reply in replies} == {200}
    assert all(
        score_of(reply, "itwiki", each) == probabilities(0, "itwiki", "damaging", each)
        for reply in replies
        for each in TWENTY
    )
    assert front.here.endpoint.summary()["scores"] == 20


def models_of(front: Front, wiki: str) -> dict[str, Any]:
    models: dict[str, Any] = front.get(f"/v3/scores/{wiki}/").json()[wiki]["models"]
    return models


def test_requests_and_drains_share_their_calls(front: Front) -> None:
    front.here.endpoint.set(latency_ms=200)
    edits = sample_edits("frwiki", 30)
    # Without versions the door can't tell a score that is under way from another.
    until(lambda: all("version" in model for model in models_of(front, "frwiki").values()), "the versions")
    front.here.save(edits)

    replies = front.at_once([f"/v3/scores/frwiki/{edit.revision}/" for edit in edits])
    front.here.until_all_is_kept()

    assert {reply.status_code for reply in replies} == {200}
    assert front.here.endpoint.summary()["scores"] == 2 * len({edit.revision for edit in edits})
    assert front.here.endpoint.summary()["overlaps"] == 0


def test_an_endpoint_that_hangs_for_one_wiki_is_answered_for_and_holds_up_no_other(front: Front) -> None:
    front.here.endpoint.set(troubles=[{"wikis": ["frwiki"], "latency_ms": 60_000}])
    slow = [f"/v3/scores/frwiki/{each}/damaging" for each in range(700, 703)]

    async def ask() -> list[Any]:
        async with front.client(10) as client:
            waiting = [asyncio.create_task(client.get(path)) for path in slow]
            other = await client.get("/v3/scores/itwiki/703/damaging")
            return [other, *await asyncio.gather(*waiting)]

    other, *late = asyncio.run(ask())

    assert score_of(other, "itwiki", 703) == probabilities(0, "itwiki", "damaging", 703)
    errors = [
        reply.json()["frwiki"]["scores"][str(each)]["damaging"]["error"]
        for each, reply in zip(range(700, 703), late, strict=True)
    ]
    # Late, or not asked for at all while the circuit of that wiki is open.
    assert {error["type"] for error in errors} <= {"TimeoutError", "ScoreProcessorOverloaded", "RequestError"}


def test_what_an_endpoint_tells_of_a_model_comes_from_the_workers(front: Front) -> None:
    reply = front.get("/v3/scores/itwiki/?models=damaging&model_info=type|version")

    assert reply.json() == {"itwiki": {"models": {"damaging": {"type": "GradientBoosting", "version": "0.5.1"}}}}


def test_a_worker_that_is_killed_under_waiting_requests_costs_them_time_only(front: Front) -> None:
    front.here.endpoint.set(troubles=[{"latency_ms": 3_600_000}])

    async def ask() -> list[httpx.Response]:
        async with front.client(10) as client:
            asked = [asyncio.create_task(client.get(f"/v3/scores/itwiki/{each}/damaging")) for each in range(600, 606)]
            await asyncio.to_thread(
                until, lambda: bool(front.here.endpoint.summary()["in_flight"]), "calls of the endpoint"
            )
            for child in front.here.worker_children():
                os.kill(child, signal.SIGKILL)
            await asyncio.to_thread(front.here.endpoint.set, troubles=None)
            return await asyncio.gather(*asked)

    replies = asyncio.run(ask())

    assert [score_of(reply, "itwiki", each) for each, reply in zip(range(600, 606), replies, strict=True)] == [
        probabilities(0, "itwiki", "damaging", each) for each in range(600, 606)
    ]


def test_a_redis_that_is_frozen_is_answered_for_and_used_again(front: Front) -> None:
    front.get("/v3/scores/itwiki/7/damaging").raise_for_status()
    redis = front.here.children["redis"].process
    stop_process(redis.pid)
    try:
        began = time.monotonic()
        replies = front.at_once([f"/v3/scores/itwiki/{each}/damaging" for each in range(8000, 8020)])
        took = time.monotonic() - began
    finally:
        redis.send_signal(signal.SIGCONT)

    assert {(reply.status_code, reply.json()["error"]["code"]) for reply in replies} == {(503, "server overloaded")}
    assert took < WEB["timeout_seconds"]
    until(lambda: front.get("/v3/scores/itwiki/7/damaging").status_code == 200, "a Redis that serves")


def test_a_port_that_somebody_has_is_told_of_in_a_sentence(front: Front) -> None:
    done = subprocess.run(
        [*OUTPATROL, "web", "--port", str(front.port)], env=front.here.environment, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1:{front.port}: Address already in use; choose another" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_when_it_is_asked_to(front: Front) -> None:
    front.child.process.terminate()

    assert front.child.process.wait(PATIENCE_SECONDS) in {0, -signal.SIGTERM}
    assert "Traceback" not in front.child.log.read_text()
    front.here.processes.stop(front.child)
