"""Letting old changes go, on an emulated wiki."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from sqlalchemy import insert

from outbox import Edit
from outbox.database import Database
from outbox.mediawiki.saving import expire_changes, save_edit
from outbox.mediawiki.schema import recentchanges
from tests.builders import NOON, an_edit, edits
from tests.outbox.lanes import rows

#: The second at which `an_edit(revision=10)` was saved.
TEN = NOON + timedelta(seconds=10)


def save(database: Database, edits: Sequence[Edit]) -> None:
    with database.transaction() as session:
        for edit in edits:
            save_edit(session, edit)


def expire(database: Database, *, before: datetime, limit: int = 100) -> list[int]:
    with database.transaction() as session:
        return expire_changes(session, before=before, limit=limit)


def left(database: Database) -> list[int]:
    return [row["rc_this_oldid"] for row in rows(database, recentchanges)]


def test_changes_from_before_that_moment_go(database: Database) -> None:
    save(database, edits(20))

    assert sorted(expire(database, before=TEN)) == list(range(1, 10))
    assert left(database) == list(range(10, 21))


def test_the_moment_may_be_told_in_any_time_zone(database: Database) -> None:
    save(database, edits(20))

    assert sorted(expire(database, before=TEN.astimezone(timezone(timedelta(hours=5))))) == list(range(1, 10))


def test_the_oldest_go_first_and_no_more_than_a_batch(database: Database) -> None:
    save(database, [an_edit(revision=20), *edits(10)])

    assert expire(database, before=NOON + timedelta(hours=1), limit=4) == [1, 2, 3, 4]


def test_a_change_of_no_revision_goes_too_and_is_told(database: Database) -> None:
    save(database, edits(2))
    log = {"rc_timestamp": "20200101000000", "rc_actor": 1, "rc_source": "mw.log"}
    with database.transaction() as session:
        session.execute(insert(recentchanges).values(log))

    assert expire(database, before=NOON) == [0]
    assert left(database) == [1, 2]


def test_where_nothing_is_that_old_nothing_goes(database: Database) -> None:
    save(database, edits(2))

    assert expire(database, before=NOON) == []
    assert left(database) == [1, 2]


def test_the_commit_is_left_to_the_caller(database: Database) -> None:
    save(database, edits(2))
    with database.transaction() as session:
        expire_changes(session, before=NOON + timedelta(hours=1), limit=100)
        session.rollback()

    assert left(database) == [1, 2]
