"""A database that refuses is waited for as one that is gone; an edit that alone is refused is kept aside."""

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest
from structlog.testing import capture_logs

from outbox import EDITS, Edit
from outbox.database import Database
from outbox.dead_letters import list_dead_letters, requeue
from outbox.page_changes import Promised
from tests.builders import an_edit
from tests.event_stream import EmulatedEventStream
from tests.worker.incoming.listeners import listen, listening, position_of, revisions, until
from tests.worker.incoming.stream_events import a_recent_change, changes
from worker.incoming import saving

#: What MariaDB says while it is read-only, out of an account's quota, out of rights, out of space; and what it has no
#: number of its own for: a trigger of the wiki's that refuses.
TROUBLES = {1290: "is read-only", 1836: "is read-only", 1226: "used up", 1142: "does not allow", 1021: "no space",
            1644: "refused"}  # fmt: skip
ON_MARIADB = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True, scope="module")
IS_POISON = "NEW.payload LIKE '%Poison%'"


@contextmanager
def refusing(database: Database, number: int, *, if_: str = "TRUE") -> Iterator[None]:
    """Meanwhile the server answers every promise, or those of which *if_* is true, with that error."""
    trigger = f"{database.schema}.refusing"
    signal = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'refused'"
    body = f"BEGIN IF {if_} THEN {signal}; END IF; END"
    sql(database, f"CREATE TRIGGER {trigger} BEFORE INSERT ON {database.schema}.outbox FOR EACH ROW {body}")
    try:
        yield
    finally:
        sql(database, f"DROP TRIGGER IF EXISTS {trigger}")


def sql(database: Database, statement: str) -> None:
    """Run *statement* on a connection of its own, which no open circuit is in the way of."""
    url = database.url
    with (
        pymysql.connect(
            host=url.host, port=url.port or 0, user=url.username, password=url.password or ""
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@ON_MARIADB
@pytest.mark.parametrize("number", TROUBLES)
def test_edits_wait_for_a_database_that_refuses(
    database: Database, event_stream: EmulatedEventStream, number: int
) -> None:
    here = {"enwiki": database}
    with capture_logs() as logs, listening(event_stream.stream(), here) as run:
        with refusing(database, number):
            event_stream.send(*changes(3))
            until(lambda: TROUBLES[number] in (run.listened.trouble or ""))
            until(lambda: len([each for each in logs if each["event"] == "database_unavailable"]) >= 3)
            assert run.saved == 0
        until(lambda: run.saved == 3)

        assert (run.listened.left_out, run.listened.trouble) == ({}, None)
    assert revisions(database) == [1, 2, 3]


@ON_MARIADB
def test_one_edit_that_is_refused_is_kept_aside_and_passed_by(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(*changes(2), a_recent_change(3, title="Poison"), *changes(2, first=4))

    with refusing(database, 1644, if_=IS_POISON), capture_logs() as logs:
        run = listen(event_stream.stream(), {"enwiki": database}, limit=4)

    assert revisions(database) == [1, 2, 4, 5]
    assert run.listened.left_out == {"kept aside": 1}
    with database.transaction() as session:
        (letter,) = list_dead_letters(session, EDITS)
        assert (letter.reason, Edit.decode(letter.payload).revision) == ("not_saved", 3)
        assert requeue(session, EDITS, [letter.id]) == 1
    assert [each["revision"] for each in logs if each["event"] == "edit_not_saved"] == [3]
    assert position_of(database, event_stream.stream()) is not None


@ON_MARIADB
def test_an_edit_that_comes_alone_is_kept_aside_too_and_once_only(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    with refusing(database, 1644, if_=IS_POISON):
        for _ in range(2):
            with listening(event_stream.stream(), {"enwiki": database}) as run:
                event_stream.send(a_recent_change(3, title="Poison"))
                until(lambda: run.listened.left_out["kept aside"] > 0)

    with database.reading() as connection:
        assert len(list_dead_letters(connection, EDITS)) == 1


@ON_MARIADB
def test_an_edit_is_not_at_fault_for_trouble_that_ends_just_before_others_are_tried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes_others = saving._takes_others

    def when_it_is_over(database: Database, edit: Promised) -> bool:
        sql(database, f"DROP TRIGGER IF EXISTS {database.schema}.refusing")
        return takes_others(database, edit)

    monkeypatch.setattr(saving, "_takes_others", when_it_is_over)
    with refusing(database, 1644):
        assert saving.save_alone(database, an_edit(revision=1)) == "saved"

    assert revisions(database) == [1]


def test_what_is_told_of_an_edit_that_was_kept_aside_names_nobody(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(a_recent_change(1, user="192.0.2.77"), a_recent_change(2, id=1, user="192.0.2.77"))

    with capture_logs() as logs, listening(event_stream.stream(), {"enwiki": database}) as run:
        until(lambda: run.listened.left_out["contradicting"] == 1)

    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EDITS)
    assert "192.0.2.77" not in f"{letter.error} {logs}"
