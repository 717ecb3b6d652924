"""`record_statement`, through the cursors of drivers: sqlite3 and PyMySQL, with no SQLAlchemy between."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest

from outbox import Edit, record_statement
from outbox.database import Database
from tests.builders import an_edit
from tests.outbox.promises import promised, saved

EDIT = an_edit(revision=7, title="Zürich 日本語 😀 100% 'of' \\it", user="Ωμέγα")
SAVE = (
    "INSERT INTO page (page_id, page_namespace, page_title, page_touched, page_latest, page_len)"
    f" VALUES ({EDIT.page}, 0, 'a', '20260101000000', {EDIT.revision}, 0)"
)


@contextmanager
def connected(database: Database, **options: Any) -> Iterator[Any]:
    """The driver's own connection; leaving it commits nothing."""
    url = database.url
    if url.get_backend_name() == "sqlite":
        connection: Any = sqlite3.connect(str(url.database))
    else:
        server: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
        connection = pymysql.connect(**server, database=url.database, **options)
    with closing(connection):
        yield connection


def style_of(connection: object) -> str:
    return sqlite3.paramstyle if isinstance(connection, sqlite3.Connection) else pymysql.paramstyle


@pytest.mark.parametrize(("end", "kept"), [("commit", True), ("rollback", False)])
def test_it_stands_or_falls_with_the_edit(database: Database, end: str, kept: bool) -> None:
    with connected(database) as connection:
        cursor = connection.cursor()
        cursor.execute(SAVE)
        cursor.execute(*record_statement(EDIT, paramstyle=style_of(connection)))
        assert promised(database) == []
        getattr(connection, end)()

    assert promised(database) == ([EDIT] if kept else [])
    assert saved(database) == ([EDIT.page] if kept else [])


@pytest.mark.parametrize("charset", ["utf8mb4", "latin1", "ascii", "utf8mb3"])
def test_the_character_set_of_the_connection_makes_no_difference(database: Database, charset: str) -> None:
    with connected(database, charset=charset) as connection:
        connection.cursor().execute(*record_statement(EDIT, paramstyle=style_of(connection)))
        connection.commit()

    assert promised(database) == [EDIT]


@pytest.mark.parametrize(
    ("style", "mark", "parameters"),
    [
        ("format", "%s", (EDIT.encode(ascii_only=True),)),
        ("pyformat", "%(payload)s", {"payload": EDIT.encode(ascii_only=True)}),
        ("qmark", "?", (EDIT.encode(ascii_only=True),)),
        ("named", ":payload", {"payload": EDIT.encode(ascii_only=True)}),
        ("numeric", ":1", (EDIT.encode(ascii_only=True),)),
    ],
)
def test_every_style_of_marking_parameters_has_its_own(style: str, mark: str, parameters: object) -> None:
    assert record_statement(EDIT, paramstyle=style) == (f"INSERT INTO outbox (payload) VALUES ({mark})", parameters)


@pytest.mark.parametrize("style", ["format", "pyformat"])
def test_a_percent_sign_in_an_edit_is_left_alone(style: str) -> None:
    statement, parameters = record_statement(EDIT, paramstyle=style)
    (payload,) = parameters.values() if isinstance(parameters, dict) else parameters

    assert Edit.decode(payload) == EDIT
    assert statement.count("%") == 1


def test_a_style_that_no_driver_has_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no paramstyle 'django'; a driver's is one of format, pyformat"):
        record_statement(EDIT, paramstyle="django")


@pytest.mark.parametrize("nothing", [{"wiki": "enwiki"}, "enwiki", None])
def test_what_is_no_edit_is_refused(nothing: Any) -> None:
    with pytest.raises(TypeError, match=r"outbox\.record_statement takes each edit as an outbox\.Edit"):
        record_statement(nothing)
