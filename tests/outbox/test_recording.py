"""The promise: a message exists exactly if the edit does."""

from outbox import EDITS, record
from outbox.database import Database
from outbox.inspection import inspect_lane
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit, edits


def ready(database: Database) -> int:
    with database.reading() as connection:
        return inspect_lane(connection, EDITS).ready


def test_a_committed_edit_always_leaves_a_message(database: Database) -> None:
    with database.transaction() as session:
        save_edit(session, an_edit())

    assert ready(database) == 1


def test_a_rolled_back_edit_leaves_no_message(database: Database) -> None:
    with database.transaction() as session:
        save_edit(session, an_edit())
        session.rollback()

    assert ready(database) == 0


def test_record_leaves_the_commit_to_the_caller(database: Database) -> None:
    with database.transaction() as session:
        record(session, an_edit())
        assert ready(database) == 0

    assert ready(database) == 1


def test_many_edits_are_recorded_at_once(database: Database) -> None:
    with database.transaction() as session:
        record(session, *edits(500))

    assert ready(database) == 500
