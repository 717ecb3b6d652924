"""Where a server's sql_mode is empty, what does not fit is refused all the same: nothing is cut, clipped or emptied."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from outbox import EDITS
from outbox.database import Database, Engines
from outbox.errors import DatabaseRefuses
from outbox.mediawiki.schema import actor, recentchanges
from tests.lax_server import empty_sql_mode
from tests.migrations.schemas import run
from tests.outbox.lanes import rows
from tests.services import create_database, drop_database
from worker.flight.tables import score_flight
from worker.upkeep.migrating import migrate

A_CHANGE: dict[str, Any] = {"rc_timestamp": "20260101000000", "rc_actor": 1}
A_LETTER: dict[str, Any] = {"payload": "{}", "attempt": 1, "recorded_at": text("UTC_TIMESTAMP(6)"), "error": ""}


@pytest.fixture(scope="module")
def modes_of_migrating() -> set[str]:
    return set()


@pytest.fixture(scope="module")
def lax(mariadb_url: str, modes_of_migrating: set[str]) -> Iterator[Database]:
    """A migrated database on a server with an empty sql_mode; notes under which modes it was migrated."""

    def note(connection: Any, *_: Any) -> None:
        with connection.connection.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.sql_mode")
            ((mode,),) = cursor.fetchall()
            modes_of_migrating.add(mode)

    engines = Engines()
    with empty_sql_mode(mariadb_url):
        database = engines.open("enwiki", create_database(mariadb_url, "outbox_lax"))
        event.listen(Engine, "before_cursor_execute", note)
        try:
            migrate(database, emulated=True)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        yield database
        engines.close()
        drop_database(mariadb_url, "outbox_lax")


def test_the_server_would_cut_what_others_write(lax: Database) -> None:
    run(lax, f"INSERT INTO actor (actor_name) VALUES ('{'x' * 300}')")

    assert max(len(row["actor_name"]) for row in rows(lax, actor)) == 255


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (recentchanges, A_CHANGE | {"rc_title": "x" * 256}),
        (recentchanges, A_CHANGE | {"rc_timestamp": "2026-01-01T00:00:00"}),
        (recentchanges, A_CHANGE | {"rc_this_oldid": 2**32}),
        (recentchanges, A_CHANGE | {"rc_this_oldid": -1}),
        (recentchanges, {"rc_actor": 1}),
        (actor, {"actor_name": "y" * 256}),
        (EDITS.dead_letters, A_LETTER | {"reason": "x" * 65}),
        (EDITS.messages, {"payload": "{}", "attempt": "many"}),
        (score_flight, {"score_id": "x" * 256, "runs_out": text("UTC_TIMESTAMP(6)")}),
        (score_flight, {"score_id": "x", "runs_out": "soon"}),
    ],
)
def test_what_does_not_fit_is_an_error_and_leaves_nothing(lax: Database, table: Any, values: dict[str, Any]) -> None:
    before = rows(lax, table)

    with pytest.raises((DataError, OperationalError, IntegrityError, DatabaseRefuses)), lax.transaction() as session:
        session.execute(insert(table).values(values))

    assert rows(lax, table) == before


@pytest.mark.usefixtures("lax")
def test_migrations_are_as_strict(modes_of_migrating: set[str]) -> None:
    (mode,) = modes_of_migrating
    assert {"STRICT_TRANS_TABLES", "NO_ENGINE_SUBSTITUTION"} <= set(mode.split(","))
