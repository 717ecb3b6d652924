"""Beat: what is due is told by one clock, that of Redis, and what nobody takes does not pile up."""

import json
import shelve
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis import Redis
from structlog.testing import capture_logs

from tests.builders import some_settings
from worker.app import configuration
from worker.lanes import broker
from worker.lanes.broker import Scheduler
from worker.lanes.clock import ClockCheck
from worker.lanes.rings import EXPIRE_RECENT_CHANGES, MOST_WAITING, POLL, PURGE_SCORES, QUEUE_OF

NewBeat = Callable[..., Scheduler]
UPKEEP = QUEUE_OF[PURGE_SCORES]


@pytest.fixture
def new_beat(redis: Redis, redis_url: str) -> Iterator[NewBeat]:
    """Makes beats, as processes of their own would have them, with changes to the settings."""
    with ExitStack() as stack:

        def new(*, schedule_filename: str = "", **changes: Any) -> Scheduler:
            app = stack.enter_context(Celery("beat", set_as_current=False))
            app.config_from_object(configuration(some_settings(redis_url=redis_url, **changes)))
            scheduler = Scheduler(app=app, schedule_filename=schedule_filename)
            stack.callback(scheduler.close)
            return scheduler

        yield new


def messages(redis: Redis, queue: str) -> list[dict[str, Any]]:
    return [json.loads(message) for message in redis.lrange(queue, 0, -1)]


def tasks(redis: Redis, queue: str) -> list[str]:
    return [message["headers"]["task"] for message in messages(redis, queue)]


def test_the_poll_is_sent_at_once_and_the_upkeep_a_minute_later(redis: Redis, new_beat: NewBeat) -> None:
    beat = new_beat()
    beat.tick()

    assert tasks(redis, QUEUE_OF[POLL]) == [POLL]
    assert tasks(redis, UPKEEP) == []
    # The poll is due again by now.
    period = beat.app.conf.beat_schedule[POLL]["schedule"]
    assert beat._due[PURGE_SCORES] - beat._due[POLL] == pytest.approx(broker.FIRST_SECONDS - period, abs=20)


def test_a_schedule_file_of_tomorrow_delays_nothing(redis: Redis, new_beat: NewBeat, tmp_path: Path) -> None:
    file = str(tmp_path / "schedule")
    beat = new_beat()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with shelve.open(file) as store:
        for entry in beat.schedule.values():
            entry.last_run_at = tomorrow
        store["entries"] = dict(beat.schedule)
    redis.flushdb()
    new_beat(schedule_filename=file).tick()

    assert tasks(redis, QUEUE_OF[POLL]) == [POLL]


def test_no_schedule_file_is_made(new_beat: NewBeat, tmp_path: Path) -> None:
    beat = new_beat(schedule_filename=str(tmp_path / "schedule"))
    beat.tick()
    beat.close()

    assert list(tmp_path.iterdir()) == []


def test_what_was_sent_in_its_interval_is_not_sent_by_the_next_beat_or_another(redis: Redis, new_beat: NewBeat) -> None:
    for _ in range(3):
        beat = new_beat()
        wait = beat.look_at(beat.schedule[PURGE_SCORES])

        assert 0.8 * 86_400 < wait <= 86_400

    assert tasks(redis, UPKEEP) == [PURGE_SCORES]


def test_where_redis_was_emptied_it_is_sent_again(redis: Redis, new_beat: NewBeat) -> None:
    beat = new_beat()
    for _ in range(2):
        beat.look_at(beat.schedule[PURGE_SCORES])
        redis.delete(f"{broker.SENT_KEY}:{PURGE_SCORES}")

    assert tasks(redis, UPKEEP) == [PURGE_SCORES] * 2


def test_a_poll_is_not_sent_while_one_waits(redis: Redis, new_beat: NewBeat) -> None:
    beat = new_beat()
    for _ in range(5):
        beat.look_at(beat.schedule[POLL])
        redis.delete(f"{broker.SENT_KEY}:{POLL}")

    assert tasks(redis, QUEUE_OF[POLL]) == [POLL]


def test_upkeep_that_nobody_takes_is_bounded(redis: Redis, new_beat: NewBeat) -> None:
    redis.lpush(UPKEEP, *["{}"] * MOST_WAITING)
    beat = new_beat()
    beat.look_at(beat.schedule[EXPIRE_RECENT_CHANGES])

    assert redis.llen(UPKEEP) == MOST_WAITING


def test_that_nobody_takes_tasks_is_told_after_a_minute_and_once(redis: Redis, new_beat: NewBeat) -> None:
    beat = new_beat()
    with capture_logs() as lines:
        for _ in range(5):
            beat.look_at(beat.schedule[POLL])
            redis.delete(f"{broker.SENT_KEY}:{POLL}")
        assert lines == []
        beat._crowded[QUEUE_OF[POLL]] -= broker.UNTAKEN_SECONDS
        for _ in range(5):
            beat.look_at(beat.schedule[POLL])
            redis.delete(f"{broker.SENT_KEY}:{POLL}")

    assert [line["event"] for line in lines] == ["tasks_untaken"]


def test_nothing_that_is_scheduled_expires_or_waits_by_the_clock_of_the_sender(redis: Redis, new_beat: NewBeat) -> None:
    beat = new_beat()
    for entry in beat.schedule.values():
        beat.look_at(entry)
    sent = messages(redis, QUEUE_OF[POLL]) + messages(redis, UPKEEP)

    assert len(sent) == len(beat.schedule)
    assert {(each["headers"]["expires"], each["headers"]["eta"]) for each in sent} == {(None, None)}


def test_two_deployments_schedule_apart(redis: Redis, new_beat: NewBeat) -> None:
    for prefix in ("", "one:", "two:"):
        beat = new_beat(redis_prefix=prefix)
        beat.look_at(beat.schedule[POLL])

    assert [tasks(redis, prefix + QUEUE_OF[POLL]) for prefix in ("", "one:", "two:")] == [[POLL]] * 3


def test_a_clock_that_is_wrong_is_told_once_and_when_it_is_right_again() -> None:
    ahead = 120.0
    clock = ClockCheck(lambda: 1_000_000.0 + ahead)
    with capture_logs() as lines:
        for _ in range(3):
            clock.compare((1_000_000, 0))
        ahead = 1.0
        clock.compare((1_000_000, 0))

    assert [line["event"] for line in lines] == ["clock_skew", "clock_right"]
    assert lines[0]["seconds_ahead_of_redis"] == 120.0


def test_a_clock_that_is_a_little_wrong_is_no_news() -> None:
    with capture_logs() as lines:
        ClockCheck(lambda: 1_000_001.5).compare((1_000_000, 0))

    assert lines == []
