"""A Redis that answers but refuses to serve: workers and beat live on, and work as soon as it serves again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from outbox import Edit
from tests.acceptance.commands import outpatrol
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import PATIENT, Running, running
from tests.refusing_redis import FAULTS, refusing
from worker.domain.redis_refusals import CURES

SOME = 30
LATENCY_MS = 50
#: Of a call that must not end before Redis refuses.
ENDLESS: Any = [{"latency_ms": 3_600_000}]


@dataclass(slots=True)
class Shared:
    """One worker and one beat for all tests here, which destroy nothing, and the edits that were saved so far."""

    running: Running
    fresh: Iterator[Edit]
    saved: list[Edit] = field(default_factory=list)

    def save(self) -> None:
        some = [next(self.fresh) for _ in range(SOME)]
        self.saved += some
        self.running.save(some)

    def until_log_names(self, process: str, fault: str, since: int) -> None:
        """Wait until *process* has written that Redis refuses, and what to do."""
        self.running.until(
            lambda: any(
                line["cure"] == CURES[fault] for line in self.running.logged("redis_gone", process=process, since=since)
            ),
            f"a line of the {process} about {fault}",
        )

    def assert_all_went_well(self, since: dict[str, int]) -> None:
        self.running.until_all_is_kept()
        assert_every_promise_was_kept(self.running, self.saved)
        for process, start in since.items():
            assert self.running.children[process].process.poll() is None
            effects = [line["effect"] for line in self.running.logged("redis_gone", process=process, since=start)]
            log = self.running.children[process].log.read_text()[start:]
            # There are two worker processes, and each has a memory of its own.
            assert effects.count("no task is taken until it is back; edits wait") <= 2
            assert 1 <= len(effects) <= 6, effects
            assert "Traceback" not in log


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    directory = tmp_path_factory.mktemp("refusals")
    # What is told is that it refuses, and never that it was silent because the machine had no time for it.
    databases = {"itwiki": f"sqlite:///{directory}/itwiki.db"}
    with running(directory, databases, **PATIENT) as here:
        here.endpoint.set(latency_ms=LATENCY_MS)
        yield Shared(here, iter(sample_edits("itwiki", 400)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_redis_that_refuses_while_all_runs_costs_time_only(shared: Shared, fault: str) -> None:
    here = shared.running
    since = {process: len(here.children[process].log.read_text()) for process in ("worker", "beat")}
    # So that calls are under way when Redis begins to refuse, and one more wave is saved when it does. Without any a
    # worker would not notice: nobody can ring then, and the commands with which it waits are not refused.
    here.endpoint.set(troubles=ENDLESS)
    shared.save()
    here.until(lambda: here.endpoint.summary()["in_flight"] > 0, "a call under way")
    with refusing(here.redis, fault, here.directory):
        here.endpoint.set(troubles=None)
        shared.save()
        for process, start in since.items():
            shared.until_log_names(process, fault, start)

    shared.assert_all_went_well(since)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_and_a_beat_that_start_while_redis_refuses_live_and_the_worker_scores_meanwhile(
    shared: Shared, fault: str
) -> None:
    here = shared.running
    for process in ("beat", "worker"):
        here.kill(process)
    since = {process: len((here.directory / f"{process}.log").read_text()) for process in ("worker", "beat")}
    with refusing(here.redis, fault, here.directory):
        here.start_worker()
        here.start_beat()
        shared.save()
        for process, start in since.items():
            shared.until_log_names(process, fault, start)
        here.until_all_is_kept()

    shared.assert_all_went_well(since)


def test_while_redis_refuses_scores_on_demand_are_refused_in_a_sentence_and_the_status_is_told(shared: Shared) -> None:
    here = shared.running
    shared.save()
    here.until_all_is_kept()
    with refusing(here.redis, "READONLY", here.directory):
        score, status = outpatrol(here.directory, "score", "itwiki", "1"), outpatrol(here.directory, "status", "--json")

    assert (score.code, status.code) == (1, 0)
    assert (
        f"refuses to serve at redis_url: READONLY You can't write against a read only replica.; {CURES['READONLY']}"
        in (score.err)
    )
    assert "Traceback" not in score.output
