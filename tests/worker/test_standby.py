"""Standby: what a worker process does while no broker brings it tasks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from redis import Redis
from structlog.testing import capture_logs

from tests.patience import PATIENCE_SECONDS, until
from tests.worker.flights import no_redis
from worker.lanes.doorbell import Doorbell
from worker.lanes.rings import POLL, TURN
from worker.lanes.standby import Standby
from worker.tasks import standing_by
from worker.tasks.process import TASKS

NewStandby = Callable[..., Standby]


class TaskRecorder:
    """Notes what was run, and lets it wait where it is told to."""

    def __init__(self) -> None:
        self.all: list[tuple[str, ...]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._changed = threading.Condition()

    def __call__(self, *parts: str) -> None:
        with self._changed:
            self.all.append(parts)
            self._changed.notify_all()
        assert self.may_go_on.wait(PATIENCE_SECONDS)

    def until(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all) >= count, PATIENCE_SECONDS)


@pytest.fixture
def ran() -> Iterator[TaskRecorder]:
    ran = TaskRecorder()
    yield ran
    ran.may_go_on.set()


@pytest.fixture
def new_standby(ran: TaskRecorder) -> Iterator[NewStandby]:
    with ExitStack() as stack:

        def new(
            run: Callable[..., None] = ran, *, is_needed: bool = True, threads: int = 4, poll_seconds: float = 60
        ) -> Standby:
            standby = Standby(run, lambda: is_needed, threads=threads, poll_seconds=poll_seconds)
            stack.callback(standby.close)
            return standby

        yield new


def test_it_polls_again_and_again_while_it_is_needed(ran: TaskRecorder, new_standby: NewStandby) -> None:
    new_standby(poll_seconds=0.01).start()
    ran.until(3)

    assert set(ran.all) == {(POLL,)}


def test_no_thread_of_it_is_left_once_it_was_closed_and_no_ring_is_answered_that_was_not_due(
    ran: TaskRecorder, new_standby: NewStandby
) -> None:
    before = set(threading.enumerate())
    standby = new_standby()
    standby.start()
    standby.ring(60, POLL)

    standby.close()

    until(lambda: before.issuperset(threading.enumerate()), "the end of its threads")
    assert ran.all == []


def test_a_look_that_fails_does_not_end_the_polling(ran: TaskRecorder) -> None:
    looks = iter([True, False, True])

    def is_needed() -> bool:
        if next(looks, True):
            return True
        raise ValueError("no such thing")

    standby = Standby(ran, is_needed, threads=1, poll_seconds=0.01)
    with capture_logs() as logs:
        standby.start()
        ran.until(3)
        standby.close()

    assert [each["error"] for each in logs if each["event"] == "task_failed"] == ["ValueError: no such thing"]


def test_a_poll_that_hangs_is_not_begun_again_more_than_once(ran: TaskRecorder, new_standby: NewStandby) -> None:
    ran.may_go_on.clear()
    standby = new_standby(threads=1)
    for _ in range(10):
        standby.ring(0, POLL)
    ran.until(1)
    ran.may_go_on.set()
    standby.ring(0, TURN, "enwiki", "outbox")
    ran.until(2)

    assert ran.all.count((POLL,)) <= 2


def test_it_leaves_all_to_the_broker_while_tasks_come(ran: TaskRecorder, new_standby: NewStandby, redis: Redis) -> None:
    sent: list[tuple[str, ...]] = []
    standby = new_standby(is_needed=False, poll_seconds=0.01)
    standby.start()
    doorbell = Doorbell(redis, lambda *task: sent.append(task), unanswered_seconds=60)
    doorbell.stand_by(standby)
    doorbell.turn("enwiki", "outbox", after=0)

    assert sent == [(TURN, "enwiki", "outbox")]
    assert ran.all == []


def test_without_a_broker_a_ring_is_answered_here(ran: TaskRecorder, new_standby: NewStandby, redis: Redis) -> None:
    doorbell = Doorbell(redis, lambda *_: pytest.fail("nobody would take it"), unanswered_seconds=60)
    standby = new_standby(threads=1)
    doorbell.stand_by(standby)
    # Meanwhile no ring is answered, however late it is.
    ran.may_go_on.clear()
    standby.ring(0, POLL)
    ran.until(1)
    for wiki in ("enwiki", "enwiki", "enwiki", "frwiki"):
        doorbell.turn(wiki, "outbox", after=0.1)
    ran.may_go_on.set()
    ran.until(3)

    assert ran.all == [(POLL,), (TURN, "enwiki", "outbox"), (TURN, "frwiki", "outbox")]
    assert redis.dbsize() == 0


def test_a_ring_that_redis_does_not_take_is_answered_here_before_anybody_else_noticed(
    ran: TaskRecorder, new_standby: NewStandby
) -> None:
    with no_redis() as gone:
        doorbell = Doorbell(gone, lambda *_: None, unanswered_seconds=60)
        doorbell.stand_by(new_standby(is_needed=False, threads=1))
        for wiki in ("enwiki", "frwiki"):
            doorbell.turn(wiki, "outbox", after=0)
        ran.until(2)

    assert [parts[1] for parts in ran.all] == ["enwiki", "frwiki"]


def test_no_more_turns_are_taken_at_once_than_it_has_threads(ran: TaskRecorder, new_standby: NewStandby) -> None:
    ran.may_go_on.clear()
    standby = new_standby(threads=2)
    for wiki in ("a", "b", "c"):
        standby.ring(0, TURN, wiki, "outbox")
    ran.until(2)
    assert len(ran.all) == 2
    ran.may_go_on.set()
    ran.until(3)


def test_a_turn_that_fails_is_told_and_ends_no_other(new_standby: NewStandby) -> None:
    done = threading.Event()

    def run(_task: str, wiki: str, _lane: str) -> None:
        if wiki == "broken":
            raise ValueError("no such thing")
        done.set()

    standby = new_standby(run, threads=1)
    with capture_logs() as logs:
        standby.ring(0, TURN, "broken", "outbox")
        standby.ring(0, TURN, "enwiki", "outbox")
        assert done.wait(PATIENCE_SECONDS)

    assert [(line["event"], line["error"]) for line in logs] == [("task_failed", "ValueError: no such thing")]


def test_closed_it_begins_nothing_more_and_waits_for_nothing(ran: TaskRecorder, new_standby: NewStandby) -> None:
    ran.may_go_on.clear()
    standby = new_standby(threads=1)
    standby.ring(0, TURN, "enwiki", "outbox")
    ran.until(1)
    standby.ring(0, TURN, "frwiki", "outbox")
    standby.close()
    standby.ring(0, TURN, "itwiki", "outbox")

    assert not standby.is_needed
    assert ran.all == [(TURN, "enwiki", "outbox")]


def test_what_runs_here_is_seen_by_the_watchdog_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fail(*_: str) -> None:
        seen.extend(TASKS.older_than(-1))
        raise TimeoutError

    monkeypatch.setattr(standing_by, "app", SimpleNamespace(tasks={TURN: fail}))
    with pytest.raises(TimeoutError):
        standing_by.run_here(TURN, "enwiki", "outbox")

    assert seen == ["turn enwiki outbox"]
    assert TASKS.older_than(-1) == []
