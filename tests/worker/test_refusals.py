"""However Redis refuses to serve, no process ends: each refusal is waited for and logged with its cure."""

import time
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.schedules import schedule
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from outbox.database import Engines
from tests.builders import some_settings
from tests.clock import Clock
from tests.refusing_redis import REFUSALS, RefusingRedis, refusing_redis
from tests.worker.flight.own_redis import connect
from worker.app import configuration
from worker.bootstrap import build_services
from worker.config.redis_state import PAUSE_SECONDS, TRY_SECONDS, RedisState
from worker.domain.errors import RedisUnavailable
from worker.domain.redis_refusals import CURES, GONE, UNKNOWN, cure, is_refusal, redis_error, said
from worker.domain.scores import ScoreId
from worker.flight.result_backend import ScoreBackend
from worker.lanes import broker
from worker.lanes.broker import TRIAL_KEY, BrokerConsumer, Scheduler
from worker.lanes.consuming import Consuming
from worker.lanes.doorbell import Doorbell
from worker.tasks.on_demand import request_scores
from worker.upkeep.migrating import migrate

WANTED = ScoreId("enwiki", "damaging", 1, "0.5.1")


@pytest.fixture(params=REFUSALS)
def word(request: pytest.FixtureRequest) -> str:
    word: str = request.param
    return word


@pytest.fixture
def refusing(redis: Redis, word: str) -> Iterator[RefusingRedis]:
    with refusing_redis(redis, REFUSALS[word]) as refusing:
        yield refusing


@pytest.fixture
def client(refusing: RefusingRedis) -> Iterator[Redis]:
    with connect(refusing.port) as client:
        yield client


@pytest.fixture
def app(refusing: RefusingRedis) -> Iterator[Celery]:
    """An application with our configuration, whose Redis refuses."""
    with Celery("refused", set_as_current=False) as app:
        app.config_from_object(configuration(some_settings(redis_url=refusing.url)))
        yield app


@pytest.fixture(scope="module")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('wiki')}/enwiki.db"
    with closing(Engines()) as engines:
        migrate(engines.open("enwiki", url))
    return url


def helps(word: str) -> str:
    return CURES.get(word, UNKNOWN)


def hurried() -> float:
    """A clock by which a pause is over after hundredths of a second."""
    return time.monotonic() * 100


def a_consumer(app: Celery) -> BrokerConsumer:
    without = {f"without_{step}": True for step in ("gossip", "mingle", "heartbeat")}
    return BrokerConsumer(lambda _: None, app=app, controller=SimpleNamespace(use_eventloop=False), **without)


def test_a_worker_waits_until_redis_serves_and_tells_once_what_helps(
    app: Celery, refusing: RefusingRedis, redis: Redis, word: str
) -> None:
    def clock() -> float:
        if refusing.refused > 2:
            refusing.refusal = None
        return hurried()

    consumer = a_consumer(app)
    consumer._redis_state = RedisState(clock)
    with capture_logs() as lines, closing(consumer.connection_for_read()) as connection:
        assert connection.connected

    assert [line["event"] for line in lines] == ["redis_gone", "redis_back"]
    assert lines[0]["cure"] == helps(word)
    assert redis.llen(TRIAL_KEY) == 0


def test_beat_tells_once_that_nothing_can_be_scheduled_and_goes_on(
    app: Celery, refusing: RefusingRedis, word: str
) -> None:
    scheduler = Scheduler(app=app, lazy=True)
    scheduler._redis_state = RedisState(hurried)
    entry = scheduler.Entry(name="poll", task="poll", schedule=schedule(10), app=app)
    with capture_logs() as lines:
        for _ in range(2):
            assert scheduler.look_at(entry) <= 2
        refusing.refusal = None
        time.sleep(0.03)
        assert scheduler.look_at(entry) == 10
    scheduler.connection.release()

    assert [line["event"] for line in lines] == ["redis_gone", "redis_back"]
    assert lines[0]["cure"] == helps(word)


def test_the_doorbell_is_silent_and_tells_what_helps(client: Redis, word: str) -> None:
    with capture_logs() as lines:
        Doorbell(client, lambda *_: None, unanswered_seconds=60).ring("turn", "enwiki")

    assert [(line["event"], line["cure"]) for line in lines] == [("doorbell_silent", helps(word))]


def test_a_request_on_demand_is_refused_with_what_helps(
    refusing: RefusingRedis, word: str, migrated_sqlite: str
) -> None:
    settings = some_settings(database_url=migrated_sqlite, redis_url=refusing.url)

    with closing(build_services(settings)) as services, pytest.raises(RedisUnavailable) as raised:
        request_scores(services, services.wiki("enwiki"), [WANTED])

    assert str(raised.value).endswith(f"; {helps(word)}")


def test_the_end_of_a_request_that_redis_does_not_take_ends_no_task(app: Celery, word: str) -> None:
    backend = ScoreBackend(app=app, url=app.conf.result_backend.partition("+")[2])
    with capture_logs() as lines:
        backend.store_result(str(WANTED), {"score": 1}, "SUCCESS")
    backend.client.close()
    backend.result_consumer.stop()  # type: ignore[attr-defined]  # untyped

    assert [(line["event"], line["cure"]) for line in lines] == [("result_lost", helps(word))]


def test_what_cannot_be_sent_again_ends_no_task(redis: Redis) -> None:
    def refused() -> None:
        raise OperationalError(REFUSALS["READONLY"])

    doorbell = Doorbell(redis, lambda *_: None, unanswered_seconds=60)
    doorbell.send_once("score", refused, seconds=60)
    with capture_logs() as lines:
        doorbell.close()

    assert lines == []


def test_a_redis_that_is_gone_is_to_be_started() -> None:
    assert cure(RedisConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused.")) == GONE


def test_an_error_of_redis_is_found_in_what_came_of_it() -> None:
    error, origin = OperationalError("gone"), RedisConnectionError("gone")
    error.__cause__ = origin

    assert redis_error(error) is origin
    assert not is_refusal(error)
    assert redis_error(ValueError("no error of Redis")) is None


def test_a_refusal_in_a_pipeline_is_told_without_the_command(redis: Redis) -> None:
    with refusing_redis(redis, None) as here, connect(here.port) as client, client.pipeline() as pipeline:
        client.set("ores-lease:x", "a text")
        pipeline.lpush("ores-lease:x", "secret")
        with pytest.raises(Exception, match="pipeline") as raised:
            pipeline.execute()

    assert said(raised.value) == "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_who_waits_for_others_hears_at_once_that_the_broker_is_gone(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = RedisState(Clock())
    consuming = Consuming()
    consuming.lost.append(state.is_gone)
    monkeypatch.setattr(broker, "CONSUMING", consuming)

    a_consumer(app).on_connection_error_after_connected(RedisConnectionError("gone"))

    assert state.gone_since is not None
    assert not state.may_be_there


def test_that_it_can_be_read_does_not_make_a_refusing_redis_be_back(redis: Redis) -> None:
    now = 1_000.0
    state = RedisState(lambda: now)
    with refusing_redis(redis, REFUSALS["READONLY"]) as here, connect(here.port) as client, capture_logs() as lines:
        with pytest.raises(Exception, match="replica") as raised:
            client.set("x", "y")
        state.is_gone(raised.value)
        now += 60
        state.is_there(has_written=False)
        state.is_gone(raised.value)
        now += 60
        state.is_there()

    assert [line["event"] for line in lines] == ["redis_gone", "redis_back"]


def test_a_redis_that_is_gone_is_tried_by_one_at_a_time() -> None:
    now = 1_000.0
    state = RedisState(lambda: now)
    assert state.may_try()
    assert state.may_try()
    for _ in range(3):
        state.is_gone(RedisConnectionError("Timeout reading from socket"))
        assert not state.may_try()
        now += PAUSE_SECONDS
        assert state.may_be_there
        assert state.may_try()
        # It takes as long as the time-out.
        now += TRY_SECONDS - 1
        assert not state.may_try()
        assert not state.may_be_there
    now += 1
    assert state.may_try()
    state.is_there()
    assert [state.may_try() for _ in range(3)] == [True] * 3


def test_another_reason_is_told_as_well() -> None:
    state = RedisState()
    with capture_logs() as lines:
        for text in ("Connection refused", "Connection refused", "LOADING Redis is loading", "Connection refused"):
            state.is_gone(RedisConnectionError(text))

    assert [line["cure"] for line in lines] == [GONE, CURES["LOADING"], GONE]
