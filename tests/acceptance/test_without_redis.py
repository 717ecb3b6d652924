"""Without Redis there is no broker: a worker goes on from a poll of its own, and takes tasks again once it is there."""

from pathlib import Path
from typing import Any

from outbox import EDITS
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, calls_by_score, sample_edits
from tests.acceptance.running import Running, running

#: Long enough for no call to be given up; leases that Redis took with it are waited for.
CALLS: dict[str, Any] = {"flight": {"call_seconds": 8}, "endpoint": {"timeout_seconds": 7}}
TASKS_COME = "Connected to redis"


def times_connected(here: Running) -> int:
    return here.children["worker"].log.read_text().count(TASKS_COME)


def test_scoring_goes_on_while_redis_is_gone_and_tasks_are_used_once_it_is_back(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 400)
    with running(tmp_path, {"itwiki": mariadb_databases("itwiki")}, **CALLS) as here:
        here.endpoint.set(latency_ms=50)
        here.save(edits[:300])
        here.until_at_most(280, EDITS)
        here.kill("redis")
        here.until_all_is_kept()
        connected = times_connected(here)
        here.start_redis()
        here.until(lambda: times_connected(here) > connected, "the worker at its broker again")
        here.save(edits[300:])
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
        # What was under way when Redis went is called once more at most.
        assert max(calls_by_score(here).values()) <= 2
        assert "Traceback" not in here.children["worker"].log.read_text()


def test_a_worker_that_is_there_before_redis_scores_at_once_and_takes_tasks_when_it_comes(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 100)
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}, worker=False, beat=False, **CALLS) as here:
        here.kill("redis")
        here.save(edits[:60])
        here.start_worker()
        here.until_all_is_kept()
        assert set(calls_by_score(here).values()) == {1}
        here.start_redis()
        here.until(lambda: times_connected(here) >= 1, "a worker process at its broker")
        here.start_beat()
        here.save(edits[60:])
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)


def test_two_workers_without_redis_call_once_for_each_score(tmp_path: Path, mariadb_databases: NewDatabase) -> None:
    edits = sample_edits("itwiki", 200)
    with running(tmp_path, {"itwiki": mariadb_databases("itwiki")}, worker=False, beat=False, **CALLS) as here:
        here.endpoint.set(latency_ms=50)
        here.kill("redis")
        here.save(edits)
        here.start_worker()
        here.children["another worker"] = here.children.pop("worker")
        here.start_worker()
        here.until_all_is_kept()
        here.terminate("another worker")

        assert_every_promise_was_kept(here, edits)
        assert set(calls_by_score(here).values()) == {1}
        assert here.endpoint.summary()["overlaps"] == 0


def test_a_worker_ends_when_it_is_asked_to_while_redis_is_gone(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    edits = sample_edits("itwiki", 200)
    # One turn at a time in each process, so that most of the edits wait.
    one = {"threads": 4}
    with running(
        tmp_path, {"itwiki": sqlite_databases("itwiki")}, worker=False, beat=False, worker_settings=one, **CALLS
    ) as here:
        here.endpoint.set(latency_ms=1_000)
        here.kill("redis")
        here.save(edits)
        here.start_worker()
        here.until_at_most(180, EDITS)
        code = here.terminate("worker")

        assert code == 0
        assert here.pending(EDITS) > 0
        here.endpoint.set(latency_ms=0)
        here.start_worker()
        here.until_all_is_kept()
        assert_every_promise_was_kept(here, edits)
