"""What is no transaction, and what is no edit, is refused in a sentence that names the right function."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pymysql
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import outbox
from outbox.database import Database, Engines
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit
from tests.outbox.promises import promised

EDIT = an_edit()
OPEN_ONE = "open one, and hand over the one that the edit is saved through"
STATEMENT = "cursor.execute(*outbox.record_statement(edit))"


async def a_session() -> AsyncIterator[Session]:
    raise AssertionError("not run")
    yield


async def a_session_to_come() -> Session:
    raise AssertionError("not run")


class Proxy:
    """As Django's connection is one: whatever is asked of it, it asks of another."""

    def __init__(self, behind: object) -> None:
        self.behind = behind

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


@pytest.mark.parametrize(
    ("make", "kind", "way_out"),
    [
        (lambda: create_engine("sqlite://"), "sqlalchemy.engine.base.Engine", OPEN_ONE),
        (sessionmaker, "sqlalchemy.orm.session.sessionmaker", OPEN_ONE),
        (lambda: create_async_engine("sqlite+aiosqlite://"), "sqlalchemy.ext.asyncio.engine.AsyncEngine", OPEN_ONE),
        (async_sessionmaker, "sqlalchemy.ext.asyncio.session.async_sessionmaker", OPEN_ONE),
        (lambda: sqlite3.connect(":memory:"), "sqlite3.Connection", STATEMENT),
        (lambda: sqlite3.connect(":memory:").cursor(), "sqlite3.Cursor", STATEMENT),
        (lambda: pymysql.Connection(defer_connect=True), "pymysql.connections.Connection", STATEMENT),
        (lambda: pymysql.cursors.Cursor(pymysql.Connection(defer_connect=True)), "pymysql.cursors.Cursor", STATEMENT),
        (lambda: Proxy(sqlite3.connect(":memory:")), "tests.outbox.test_transactions.Proxy", STATEMENT),
        (a_session, "async_generator", "hand over the one that the edit is saved through"),
        (lambda: Engines().open("enwiki", "sqlite:///enwiki.db"), "outbox.database.Database", "hand over the one"),
        (lambda: None, "NoneType", "hand over the one that the edit is saved through"),
        (lambda: EDIT, "outbox.edits.Edit", "hand over the one that the edit is saved through"),
    ],
)
def test_what_is_no_session_is_refused_by_name(make: Callable[[], Any], kind: str, way_out: str) -> None:
    handed = make()

    for function, name in ((outbox.record, "record takes a S"), (outbox.record_async, "record_async takes an AsyncS")):
        with pytest.raises(TypeError) as refusal:
            function(handed, EDIT)

        assert f"outbox.{name}" in str(refusal.value)
        assert f", not {kind}; " in str(refusal.value)
        assert way_out in str(refusal.value)
    if hasattr(handed, "close"):
        handed.close()
    if isinstance(handed, sqlite3.Cursor):
        handed.connection.close()


def test_a_session_that_was_not_awaited_is_refused() -> None:
    session = a_session_to_come()

    with pytest.raises(TypeError, match="not coroutine; await it first, and hand over what comes of it"):
        outbox.record(session, EDIT)  # type: ignore[arg-type]

    session.close()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("record_payloads", lambda session: outbox.record_payloads(session, outbox.EDITS, ["{}"])),
        ("claim", lambda session: outbox.claim(session, outbox.EDITS, limit=1, lease=timedelta(seconds=1))),
        (
            "claim_in_order",
            lambda session: outbox.claim_in_order(session, outbox.EDITS, limit=1, lease=timedelta(seconds=1)),
        ),
        ("renew", lambda session: outbox.renew(session, outbox.EDITS, [], lease=timedelta(seconds=1))),
        ("settle", lambda session: outbox.settle(session, outbox.EDITS, {})),
        ("mediawiki.saving.save_edit", lambda session: save_edit(session, EDIT)),
    ],
)
def test_so_does_every_other_function_that_writes(name: str, function: Callable[[Any], Any]) -> None:
    with sqlite3.connect(":memory:") as connection, pytest.raises(TypeError) as refusal:
        function(connection)
    connection.close()

    assert str(refusal.value) == (
        f"outbox.{name} takes a Session or Connection of SQLAlchemy, not sqlite3.Connection; "
        "hand over the one that the edit is saved through"
    )


@pytest.mark.parametrize(
    ("edits", "complaint"),
    [
        ([], "outbox.record was given no edit, and so would promise nothing"),
        (["enwiki:1"], "takes each edit as an outbox.Edit, not str; write outbox.Edit(wiki="),
        ([b"{}"], "not bytes; write outbox.Edit(wiki="),
        ([EDIT.model_dump()], "not dict; write outbox.Edit(wiki="),
        ([[EDIT]], "not list; take them out of it: outbox.record(session, *edits)"),
        ([EDIT, None], "not NoneType; write outbox.Edit(wiki="),
    ],
)
def test_what_is_no_edit_is_refused_and_nothing_is_promised(
    edits: list[Any], complaint: str, database: Database
) -> None:
    with database.transaction() as session, pytest.raises(TypeError) as refusal:
        outbox.record(session, *edits)

    assert complaint in str(refusal.value)
    assert promised(database) == []


@pytest.mark.parametrize("payloads", ["{}", [b"{}"], [{}], [EDIT]])
def test_payloads_that_are_no_strings_are_refused(payloads: Any, database: Database) -> None:
    with database.transaction() as session, pytest.raises(TypeError, match="takes a list of strings"):
        outbox.record_payloads(session, outbox.EDITS, payloads)

    assert promised(database) == []


def test_a_synchronous_session_is_refused_by_what_is_asynchronous(database: Database) -> None:
    with database.transaction() as session, pytest.raises(TypeError, match=r"call outbox\.record\(session, edit\)"):
        outbox.record_async(session, EDIT)  # type: ignore[arg-type, unused-coroutine]


def test_a_scoped_session_stands_for_the_session_of_its_scope(database: Database) -> None:
    scoped = scoped_session(sessionmaker(database.engine))
    outbox.record(scoped, EDIT)
    assert promised(database) == []
    scoped.commit()
    scoped.remove()

    assert promised(database) == [EDIT]


def test_a_session_of_a_class_of_ones_own_is_one(database: Database) -> None:
    class OfAFramework(Session):
        pass

    with OfAFramework(database.engine) as session, session.begin():
        outbox.record(session, EDIT)

    assert promised(database) == [EDIT]
