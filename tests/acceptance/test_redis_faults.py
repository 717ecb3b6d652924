"""Redis never has the only copy of anything: emptied or killed during a run, it costs only calls and time."""

from pathlib import Path

from outbox import EDITS
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import SLOWLY, running


def test_emptying_redis_in_the_middle_of_a_run_changes_no_final_count(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 200)
    with running(tmp_path, {"itwiki": mariadb_databases("itwiki")}, **SLOWLY) as here:
        here.endpoint.set(latency_ms=1_000)
        here.save(edits)
        for left in (190, 170, 150):
            here.until_at_most(left, EDITS)
            assert here.pending(EDITS) > 0
            here.redis.flushall()
        here.endpoint.set(latency_ms=0)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)


def test_killing_redis_in_the_middle_of_a_run_changes_no_final_count(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 200)
    # The drains that are under way when Redis dies go on without it, but not to the end.
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}, **SLOWLY) as here:
        here.endpoint.set(latency_ms=1_000)
        here.save(edits)
        here.until_at_most(180, EDITS)
        here.kill("redis")
        here.until_at_most(160, EDITS)
        # So that they are not at their end when Redis is back, however long it takes to start.
        here.endpoint.set(troubles=[{"latency_ms": 3_600_000}])
        here.start_redis()
        assert here.pending(EDITS) > 0
        here.endpoint.set(latency_ms=0, troubles=None)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
