"""A worker that is asked to end does so between two batches, or gives back what does not come to an end."""

import signal
from pathlib import Path

import pytest

from outbox import EDITS
from outbox.inspection import LaneStatus, inspect_lane
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, calls_by_score, sample_edits
from tests.acceptance.running import PATIENT, Running, running


def test_a_terminated_worker_leaves_no_claim_behind_and_the_rest_to_the_next(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 300)
    # Nothing but a worker's own settlement frees a message within the time of this test.
    with running(
        tmp_path,
        {"itwiki": mariadb_databases("itwiki")},
        # One turn at a time in each process, so that most of the edits wait.
        worker_settings={"threads": 4},
        outbox={"lease_seconds": 600, "batch_size": 20},
        **PATIENT,
    ) as here:
        here.endpoint.set(latency_ms=1_000)
        here.save(edits)
        here.until_at_most(280, EDITS)
        code = here.terminate("worker")
        status = lane_of(here)
        here.endpoint.set(latency_ms=0)
        here.start_worker()
        here.until_all_is_kept()

        assert code == 0
        assert status.ready > 0
        assert status.claimed == 0
        assert_every_promise_was_kept(here, edits)
        assert max(calls_by_score(here).values()) == 1


@pytest.mark.parametrize(("number", "shutdown_seconds"), [(signal.SIGTERM, 1), (signal.SIGINT, 600)])
def test_a_worker_whose_turn_hangs_ends_in_time_and_gives_back_what_it_claimed(
    number: signal.Signals, shutdown_seconds: int, tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    """Ctrl-C twice means at once. With a single attempt an edit that burned it would be a dead letter."""
    edits = sample_edits("itwiki", 30)
    with running(
        tmp_path,
        {"itwiki": mariadb_databases("itwiki")},
        beat=False,
        worker_settings={"shutdown_seconds": shutdown_seconds},
        outbox={"lease_seconds": 600, "batch_size": 20, "max_attempts": 1},
        # Longer than a process takes to end.
        **PATIENT,
    ) as here:
        here.endpoint.set(latency_ms=100_000)
        here.save(edits)
        here.until(lambda: here.endpoint.summary()["in_flight"] > 0, "calls that hang")
        held = lane_of(here).claimed
        if number is signal.SIGINT:
            here.children["worker"].process.send_signal(number)
            here.until(lambda: "Warm shutdown" in here.children["worker"].log.read_text(), "a process that is asked")
        code = here.terminate("worker", number)
        left = lane_of(here)
        log = (here.directory / "worker.log").read_text()
        here.endpoint.set(latency_ms=0)
        # Else what was asked for would be asked for again only when the leases are over.
        here.redis.flushall()
        here.start_worker()
        here.start_beat()
        here.until_all_is_kept()

        assert held > 0
        assert code == 0
        assert (left.claimed, left.waiting) == (0, 0)
        assert "shutdown_cut_short" in log
        assert "process_killed" not in log
        assert_every_promise_was_kept(here, edits)


def lane_of(here: Running) -> LaneStatus:
    with here.services.wiki("itwiki").database.reading() as connection:
        return inspect_lane(connection, EDITS)
