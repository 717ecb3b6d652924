"""Many queued edits overwhelm no endpoint: they come as fast as we allow, hardly faster than it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from outbox import EDITS, record
from outbox.inspection import inspect_lane
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import announced, events_of
from tests.acceptance.running import Running, running
from tests.builders import edits
from tests.worker.limits.crowd import most_in_a_window
from worker.demo.surroundings import start_worker

WIKI = "enwiki"
EDITS_A_REQUEST = 10
PER_SECOND = 60
CONCURRENCY = 6


@contextmanager
def drained(directory: Path, database_url: str, count: int, **behaviour: Any) -> Iterator[Running]:
    """What two worker processes of two children each leave of *count* queued edits.

    Each edit has one score and no rows, so that requests come as fast as they are let, and a single attempt.
    """
    settings: dict[str, Any] = {
        "endpoint": {
            "scores_per_request": EDITS_A_REQUEST,
            "requests_per_second": PER_SECOND,
            "concurrency": CONCURRENCY,
            "timeout_seconds": 30,
        },
        "models": {"goodfaith": {"enabled": False}},
        "flight": {"call_seconds": 40, "lease_margin_seconds": 0.5},
        "outbox": {"lease_seconds": 60, "batch_size": 400, "max_attempts": 1},
    }
    with running(directory, {WIKI: database_url}, worker=False, beat=False, **settings) as here:
        here.endpoint.set(**behaviour)
        for first in range(1, count, 1000):
            with here.services.wiki(WIKI).database.transaction() as session:
                record(session, *edits(1000, first=first, is_bot=True))
        here.start_worker()
        start_worker(here.processes, here.directory, environment=here.environment)
        here.start_beat()
        here.until_all_is_kept()
        yield here


def starts(here: Running) -> list[float]:
    """When each call for scores reached the endpoint."""
    return [call["start_monotonic"] for call in here.endpoint.calls() if call["revisions"]]


def assert_every_edit_was_scored_and_announced_once(here: Running, count: int) -> None:
    events = events_of(here.directory)
    subjects = announced(events)
    assert {revision for _, revision in subjects.values()} == set(range(1, count + 1))
    assert len(subjects) == count
    assert all(set(event["scores"]) == {"damaging"} and "errors" not in event for event in events)
    with here.services.wiki(WIKI).database.reading() as connection:
        assert inspect_lane(connection, EDITS).dead == 0


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_queued_edits_never_exceed_the_limits(tmp_path: Path, mariadb_databases: NewDatabase, count: int) -> None:
    with drained(tmp_path, mariadb_databases(WIKI), count, latency_ms=60) as here:
        moments = starts(here)
        assert len(moments) >= count / EDITS_A_REQUEST
        # A busy machine may hold up those that are under way, so that they arrive within the next second.
        assert most_in_a_window(moments, 1.0) <= PER_SECOND + CONCURRENCY
        assert here.endpoint.summary()["peak_concurrency"] <= CONCURRENCY
        assert_every_edit_was_scored_and_announced_once(here, count)


@pytest.mark.parametrize("count", [1_000, pytest.param(3_000, marks=pytest.mark.long)])
def test_an_endpoint_that_takes_less_than_we_allow_refuses_few_requests_and_no_edit_pays_for_it(
    tmp_path: Path, mariadb_databases: NewDatabase, count: int
) -> None:
    """With a single attempt an edit that burned it would be a dead letter."""
    throttle = {"requests_per_second": PER_SECOND / 2, "burst": 5, "retry_after": "1"}
    with drained(tmp_path, mariadb_databases(WIKI), count, throttle=throttle) as here:
        refused = here.endpoint.summary()["throttled"]
        assert 0 < refused <= 0.25 * len(starts(here))
        assert_every_edit_was_scored_and_announced_once(here, count)
