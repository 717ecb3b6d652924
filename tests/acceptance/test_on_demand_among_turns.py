"""Scores on demand and turns leave each other room, however long the one or the other takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.result import AsyncResult

from outbox import EDITS
from tests.acceptance.expectations import sample_edits
from tests.acceptance.running import Running, running
from worker.emulators.scoring.shapes import probabilities
from worker.lanes.rings import SCORE

SECONDS = 30


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Running]:
    # One place for scores on demand, and time for each to wait for it.
    patient: dict[str, Any] = {"flight": {"call_seconds": 20}, "endpoint": {"timeout_seconds": 10}}
    databases = {"itwiki": f"sqlite:///{tmp_path}/itwiki.db"}
    with running(tmp_path, databases, worker_settings={"threads": 4, "processes": 1}, **patient) as here:
        # So that the versions are known, and turns ask for nothing but scores.
        here.save(sample_edits("itwiki", 400)[:1])
        here.until_all_is_kept()
        yield here


def ask(here: Running, revision: int) -> "AsyncResult[Any]":
    return here.client.send_task(SCORE, task_id=f"itwiki:damaging:{revision}:0.5.1")


def assert_answered(asked: "dict[int, AsyncResult[Any]]") -> None:
    for revision, each in asked.items():
        assert each.get(timeout=SECONDS)["probability"] == probabilities(0, "itwiki", "damaging", revision)


def test_requests_that_wait_for_a_slow_endpoint_leave_threads_for_turns(here: Running) -> None:
    here.endpoint.set(latency_ms=700)
    asked = {revision: ask(here, revision) for revision in range(1, 7)}
    here.save(sample_edits("itwiki", 399)[:1])
    here.until_all_is_kept()

    assert not all(each.ready() for each in asked.values())
    assert_answered(asked)


def test_requests_take_no_more_threads_than_they_have_places_and_are_all_answered(here: Running) -> None:
    here.endpoint.reset()
    here.endpoint.set(latency_ms=700)
    assert_answered({revision: ask(here, revision) for revision in range(1, 5)})

    assert here.endpoint.summary()["peak_concurrency"] == 1


def test_a_request_is_answered_while_a_long_drain_goes_on(here: Running) -> None:
    here.endpoint.set(latency_ms=100)
    here.save(sample_edits("itwiki", 399)[:220])
    here.until_at_most(200, EDITS)
    assert_answered({revision: ask(here, revision) for revision in range(1, 4)})

    assert here.pending(EDITS) > 0
    here.until_all_is_kept()
