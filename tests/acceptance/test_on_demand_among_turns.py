"""Scores on demand and turns leave each other room, however long the one or the other takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.result import AsyncResult

from outbox import EDITS
from tests.acceptance.expectations import sample_edits
from tests.acceptance.running import PATIENT, Running, running
from tests.patience import PATIENCE_SECONDS
from worker.emulators.scoring.shapes import probabilities
from worker.lanes.rings import SCORE

#: An endpoint that hangs for one of the wikis until its settings are changed.
ENDLESS_MS = 3_600_000
#: Who waits for it, and for whom the others are not to wait.
HELD, FREE = "itwiki", "frwiki"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Running]:
    # One place for scores on demand.
    databases = {wiki: f"sqlite:///{tmp_path}/{wiki}.db" for wiki in (HELD, FREE)}
    with running(tmp_path, databases, worker_settings={"threads": 4, "processes": 1}, **PATIENT) as here:
        # So that the versions are known, and turns ask for nothing but scores.
        for wiki in databases:
            here.save(sample_edits(wiki, 400)[:1])
        here.until_all_is_kept()
        yield here


def ask(here: Running, wiki: str, revision: int) -> "AsyncResult[Any]":
    return here.client.send_task(SCORE, task_id=f"{wiki}:damaging:{revision}:0.5.1")


def assert_answered(wiki: str, asked: "dict[int, AsyncResult[Any]]") -> None:
    for revision, each in asked.items():
        assert each.get(timeout=PATIENCE_SECONDS)["probability"] == probabilities(0, wiki, "damaging", revision)


def hold(here: Running) -> None:
    here.endpoint.set(troubles=[{"wikis": [HELD], "latency_ms": ENDLESS_MS}])


def test_requests_that_wait_for_a_slow_endpoint_leave_threads_for_turns(here: Running) -> None:
    hold(here)
    asked = {revision: ask(here, HELD, revision) for revision in range(1, 7)}
    here.until(lambda: here.endpoint.summary()["in_flight"] > 0, "a request that hangs")
    here.save(sample_edits(FREE, 399)[:1])
    here.until_all_is_kept()

    assert not any(each.ready() for each in asked.values())
    here.endpoint.set(troubles=None)
    assert_answered(HELD, asked)


def test_requests_take_no_more_threads_than_they_have_places_and_are_all_answered(here: Running) -> None:
    here.endpoint.reset()
    here.endpoint.set(latency_ms=700)
    assert_answered(HELD, {revision: ask(here, HELD, revision) for revision in range(1, 5)})

    assert here.endpoint.summary()["peak_concurrency"] == 1


def test_a_request_is_answered_while_a_long_drain_goes_on(here: Running) -> None:
    hold(here)
    here.save(sample_edits(HELD, 399)[:220])
    here.until(lambda: here.endpoint.summary()["in_flight"] > 0, "a turn that waits for the endpoint")
    assert_answered(FREE, {revision: ask(here, FREE, revision) for revision in range(1, 4)})

    assert here.pending(EDITS) == 220
    here.endpoint.set(troubles=None)
    here.until_all_is_kept()
