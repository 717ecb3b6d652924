"""A worker that is asked to end does so between two batches."""

from pathlib import Path

from outbox import EDITS
from outbox.inspection import inspect_lane
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, calls_by_score, sample_edits
from tests.acceptance.running import running


def test_a_terminated_worker_leaves_no_claim_behind_and_the_rest_to_the_next(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 300)
    # Nothing but a worker's own settlement frees a message within the time of this test.
    with running(
        tmp_path,
        {"itwiki": mariadb_databases("itwiki")},
        drain_seconds=1,
        outbox={"lease_seconds": 600, "batch_size": 20},
    ) as here:
        here.endpoint.set(latency_ms=200)
        here.save(edits)
        here.until_at_most(280, EDITS)
        code = here.terminate("worker")
        with here.services.wiki("itwiki").database.reading() as connection:
            status = inspect_lane(connection, EDITS)
        here.endpoint.set(latency_ms=0)
        here.start_worker()
        here.until_all_is_kept()

        assert code == 0
        assert status.ready > 0
        assert status.claimed == 0
        assert_every_promise_was_kept(here, edits)
        assert max(calls_by_score(here).values()) == 1
