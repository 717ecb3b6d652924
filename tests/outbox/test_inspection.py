"""Inspection: states derived from leases and times, never stored."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from outbox import EDITS, Dead, RetryLater
from outbox.columns import database_now
from outbox.database import Database
from outbox.inspection import LaneStatus, has_work, inspect_lane
from tests.outbox.lanes import end, make_due, record_edits, run_out, take, take_one
from worker.events.file_sink import FILE

HOUR = timedelta(hours=1)


def status(database: Database) -> LaneStatus:
    with database.reading() as connection:
        return inspect_lane(connection, EDITS)


def work_is_there(database: Database) -> bool:
    with database.reading() as connection:
        return has_work(connection, EDITS)


def age(database: Database, seconds: int) -> None:
    """Let every promise of the lane have been made *seconds* ago."""
    with database.transaction() as session:
        for table in (EDITS.messages, EDITS.waiting):
            session.execute(update(table).values(recorded_at=database_now(timedelta(seconds=-seconds))))


def test_each_message_is_counted_in_one_state(database: Database) -> None:
    record_edits(database, 10)
    dead, waiting, abandoned, *claimed = take(database, limit=7)
    end(database, {dead: Dead("refused", "400"), waiting: RetryLater(HOUR, "503")})
    run_out(database, [abandoned])

    found = status(database)

    assert (found.ready, found.claimed, found.waiting, found.dead) == (3 + 1, len(claimed), 1, 1)


def test_dead_letters_are_no_pending_promises(database: Database) -> None:
    record_edits(database, 4)
    dead, waiting, _ = take(database, limit=3)
    end(database, {dead: Dead("refused", "400"), waiting: RetryLater(HOUR, "503")})

    assert status(database).pending == 3


def test_an_empty_lane_has_no_oldest_promise(database: Database) -> None:
    assert status(database) == LaneStatus(lane="outbox", ready=0, claimed=0, waiting=0, dead=0, oldest_age_seconds=None)


def test_a_lane_is_inspected_apart_from_the_other(database: Database) -> None:
    record_edits(database, 1)

    with database.reading() as connection:
        assert inspect_lane(connection, FILE.lane).pending == 0


def test_the_oldest_promise_has_the_age_of_its_recording(database: Database) -> None:
    record_edits(database, 1)
    age(database, 300)
    record_edits(database, 1, first=2)

    assert status(database).oldest_age_seconds == pytest.approx(300, abs=60)


def test_a_promise_grows_older_while_it_waits(database: Database) -> None:
    end(database, {take_one(database): RetryLater(HOUR, "503")})
    age(database, 300)
    record_edits(database, 1, first=2)

    assert status(database).oldest_age_seconds == pytest.approx(300, abs=60)


def test_an_empty_lane_has_no_work(database: Database) -> None:
    assert not work_is_there(database)


def test_a_ready_message_is_work(database: Database) -> None:
    record_edits(database, 1)

    assert work_is_there(database)


def test_a_claimed_message_is_no_work_for_others(database: Database) -> None:
    take_one(database)

    assert not work_is_there(database)


def test_an_abandoned_message_is_work(database: Database) -> None:
    run_out(database, [take_one(database)])

    assert work_is_there(database)


def test_a_waiting_message_is_work_once_it_is_due(database: Database) -> None:
    end(database, {take_one(database): RetryLater(HOUR, "503")})
    assert not work_is_there(database)

    make_due(database)
    assert work_is_there(database)
