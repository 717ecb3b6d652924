"""A process whose Celery takes no tasks finds out: it is told so, or hears nothing of Celery's thread any more."""

import pytest
from structlog.testing import capture_logs

from tests.clock import Clock
from worker.lanes.consuming import SILENT_SECONDS, Consuming


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def consuming(clock: Clock) -> Consuming:
    return Consuming(clock)


def test_tasks_come_from_the_first_beat_of_celerys_thread_until_the_connection_ends(consuming: Consuming) -> None:
    assert not consuming.goes_on()
    consuming.heard()
    assert consuming.goes_on()
    consuming.ended()
    assert not consuming.goes_on()


def test_a_thread_that_is_silent_takes_no_tasks_which_is_logged_once_until_it_is_heard(
    consuming: Consuming, clock: Clock
) -> None:
    lost: list[Exception] = []
    consuming.lost.append(lost.append)
    with capture_logs() as logs:
        for _ in range(2):
            consuming.heard()
            clock.now += SILENT_SECONDS
            assert consuming.goes_on()
            clock.now += 1
            assert [consuming.goes_on() for _ in range(3)] == [False] * 3
        consuming.heard()
        assert consuming.goes_on()

    assert [line["event"] for line in logs] == ["celery_silent", "celery_heard"] * 2
    assert [str(error) for error in lost] == ["Celery's thread waits, for 11 s by now"] * 2


def test_an_end_without_redis_is_told_at_once(consuming: Consuming) -> None:
    lost: list[Exception] = []
    consuming.lost.append(lost.append)
    error = ConnectionError()
    consuming.heard()
    consuming.ended(error)
    consuming.ended()
    assert lost == [error]
