"""A worker process that gets stuck is ended and started again; the other one goes on, and nothing is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import Running, running
from worker.lanes.rings import POLL, QUEUE_OF

WIKI = "itwiki"
#: A part of the usual seconds; a healthy process waits for the machine no longer.
STUCK = {"silent_seconds": 6, "turn_seconds": 9}


@contextmanager
def two_processes(directory: Path, url: str) -> Iterator[Running]:
    """Two worker processes that can be told to get stuck, and are ready."""
    with running(directory, {WIKI: url}, worker=False, worker_settings=STUCK) as here:
        here.start_worker("tests.acceptance.stuck")
        here.until(
            lambda: here.children["worker"].log.read_text().count(" ready.") == 2, "two processes that are ready"
        )
        yield here


def ends(here: Running) -> list[dict[str, Any]]:
    """What was told of processes that ended."""
    return here.logged("process_ended")


@pytest.mark.parametrize(
    ("task", "code", "stands_still"),
    [
        ("block_the_loop", 70, "in _block"),
        ("hold_the_interpreter", 1, "in hold_the_interpreter"),
        ("hang", 70, "in hang"),
    ],
)
def test_a_process_that_is_stuck_for_ever_ends_with_its_stacks_in_the_log_and_is_started_again(
    task: str, code: int, stands_still: str, tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    edits = sample_edits(WIKI, 100)
    with two_processes(tmp_path, sqlite_databases(WIKI)) as here:
        before = here.worker_children()
        here.client.send_task(task, queue=QUEUE_OF[POLL])
        here.save(edits)
        here.until_all_is_kept()
        here.until(lambda: len(ends(here)) == 1, "the end of the process that is stuck")
        here.until(lambda: here.children["worker"].log.read_text().count(" ready.") == 3, "a process in its place")

        (end,) = ends(here)
        assert end["code"] == code
        assert len(before & here.worker_children()) == 1
        assert end["pid"] in before
        assert stands_still in here.children["worker"].log.read_text()
        assert_every_promise_was_kept(here, edits)
