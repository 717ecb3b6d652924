"""A worker that dies, wholly or in part, at any moment, loses nothing and repeats nothing that can be seen."""

import os
import signal
from pathlib import Path

import pytest

from outbox import EDITS
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, calls_by_score, sample_edits
from tests.acceptance.running import SLOWLY, exists, running


@pytest.mark.parametrize("new_database", ["mariadb", pytest.param("sqlite", marks=pytest.mark.long)], indirect=True)
def test_killing_worker_children_in_the_middle_of_a_run_changes_no_final_count(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 300)
    with running(tmp_path, {"itwiki": new_database("itwiki")}, **SLOWLY) as here:
        here.endpoint.set(latency_ms=1_000)
        here.save(edits)
        killed = set()
        for left in (290, 240, 190):
            here.until_at_most(left, EDITS)
            assert here.pending(EDITS) > 0
            killed.add(here.kill_a_worker_child())
        here.endpoint.set(latency_ms=0)
        here.until_all_is_kept()

        assert len(killed) == 3
        assert_every_promise_was_kept(here, edits)
        assert here.endpoint.summary()["overlaps"] == 0
        assert max(calls_by_score(here).values()) <= 1 + len(killed)


def test_killing_the_whole_worker_in_the_middle_of_a_run_changes_no_final_count(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 200)
    with running(tmp_path, {"itwiki": mariadb_databases("itwiki")}, **SLOWLY) as here:
        here.endpoint.set(latency_ms=1_000)
        here.save(edits)
        here.until_at_most(180, EDITS)
        here.kill("worker")
        assert here.pending(EDITS) > 0
        here.endpoint.set(latency_ms=0)
        here.start_worker()
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
        assert here.endpoint.summary()["overlaps"] == 0
        assert max(calls_by_score(here).values()) <= 2


def test_the_children_of_a_killed_worker_do_not_outlive_it(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}, beat=False) as here:
        # By then each has asked to die with its parent.
        here.until(
            lambda: here.children["worker"].log.read_text().count(" ready.") == 2, "two processes that are ready"
        )
        children = here.worker_children()
        assert len(children) == 2
        os.kill(here.children["worker"].process.pid, signal.SIGKILL)
        here.until(lambda: not any(map(exists, children)), "the end of the children")
