"""The promise: a message exists exactly if the edit does."""

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

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


def test_a_promise_is_one_plain_statement_that_goes_past_the_compiler(database: Database) -> None:
    """What it costs the edit's own transaction is the way to the server, and little else."""
    sent: list[tuple[str, bool]] = []
    compiled: list[object] = []

    def note(_1: object, _2: object, statement: str, _3: object, _4: object, many: bool) -> None:
        sent.append((statement.split(maxsplit=1)[0], many))

    with database.transaction() as session:
        record(session, an_edit())
        event.listen(session, "before_cursor_execute", note)
        event.listen(session, "before_execute", lambda _connection, clause, *_: compiled.append(clause))
        record(session, an_edit(revision=2))
        record(session, *edits(3, first=10))

    assert sent == [("INSERT", False), ("INSERT", True)]
    assert not [clause for clause in compiled if not isinstance(clause, str)]
    assert ready(database) == 5


@pytest.mark.parametrize("title", ["50 % of %s", "%(payload)s", "a:b ?", "\\' \" \\\\", "𝒜 — ü"])
def test_what_looks_like_a_placeholder_is_promised_as_it_is(database: Database, title: str) -> None:
    with database.transaction() as session:
        record(session, an_edit(title=title))
        record(session, an_edit(revision=2, title=title), an_edit(revision=3, title=title))

    with database.reading() as connection:
        payloads = (
            connection.execute(
                text(
                    "SELECT payload FROM outbox"
                    if database.schema is None
                    else (f"SELECT payload FROM `{database.schema}`.outbox")
                )
            )
            .scalars()
            .all()
        )
    assert [an_edit().decode(payload).title for payload in payloads] == [title] * 3


def test_each_wiki_of_a_server_gets_its_own_promises(database: Database) -> None:
    """The statement is made once for each schema, and once for none."""
    other = database.engine.execution_options(schema_translate_map={None: "no_such_schema"})
    with database.transaction() as session:
        record(session, an_edit())
    with other.connect() as connection, pytest.raises(DBAPIError):
        record(connection, an_edit(revision=2))

    assert ready(database) == 1
