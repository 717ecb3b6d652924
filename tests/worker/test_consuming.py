"""A process whose Celery takes no tasks finds out: it is told so, or hears nothing of Celery's thread any more."""

import threading

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.fault_proxy import fault_proxy
from tests.patience import PATIENCE_SECONDS
from worker.config.redis_state import RedisState
from worker.lanes.broker import hear_of_redis
from worker.lanes.consuming import SILENT_SECONDS, CeleryWaits, Consuming


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
    assert [type(error) for error in lost] == [CeleryWaits] * 2


def test_an_end_without_redis_is_told_at_once(consuming: Consuming) -> None:
    lost: list[Exception] = []
    consuming.lost.append(lost.append)
    error = ConnectionError()
    consuming.heard()
    consuming.ended(error)
    consuming.ended()
    assert lost == [error]


def hear_and_ask(redis: Redis, state: RedisState) -> None:
    """Hear that Celery is silent, and return once *redis* was asked."""
    hear_of_redis(redis, state, CeleryWaits())
    asking = [thread for thread in threading.enumerate() if thread.name == "redis trial"]
    for thread in asking:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def test_a_silent_celery_says_nothing_of_a_redis_that_answers_others(redis: Redis) -> None:
    state = RedisState()
    hear_and_ask(redis, state)
    assert state.gone_since is None


def test_a_redis_that_answers_nobody_is_gone_for_all_once_celery_is_silent(redis: Redis) -> None:
    state = RedisState()
    with fault_proxy(redis.connection_pool.connection_kwargs["port"]) as way:
        way.set("hang")
        with Redis(port=way.port, socket_timeout=0.1, retry=Retry(NoBackoff(), 0)) as silent, capture_logs():
            hear_and_ask(silent, state)
    assert state.gone_since is not None
