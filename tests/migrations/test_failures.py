"""Migrations that fail: a sentence that says why, nothing that stands in the way of the next try, and no harm done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from outbox.database import Database
from outbox.errors import DatabaseNotMigrated, ForeignTables
from tests.acceptance.commands import outpatrol, write_settings
from tests.migrations.conftest import Account
from tests.migrations.real_wiki import THEIRS, make_real_wiki, their_rows, their_schema
from tests.migrations.revisions import MADE_HERE, STEPS, VIEWS, WIKI, head_revision
from tests.migrations.schemas import query, run, schema, tables, views
from worker.upkeep.migrating import VERSION_TABLE, downgrade, migrate

OLD_WIKI = "ALTER TABLE recentchanges RENAME COLUMN rc_source TO rc_origin"
UPDATED_WIKI = "ALTER TABLE recentchanges RENAME COLUMN rc_origin TO rc_source"
#: What a wiki's account may do that was given its rights by hand.
TABLES_ONLY = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX"


class PowerCut(Exception):
    """The process has gone."""


@contextmanager
def dying_at_step(number: int) -> Iterator[None]:
    """Let whoever changes a database die just before their step of that number, the first being 0.

    A step is a statement that changes something, or a commit.
    """
    steps = count()

    def die(*_: Any) -> None:
        if next(steps) == number:
            raise PowerCut

    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")):
            die()

    event.listen(Engine, "before_cursor_execute", look)
    event.listen(Engine, "commit", die)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)
        event.remove(Engine, "commit", die)


def deaths(work: Callable[[], object], between: Callable[[], object] = lambda: None) -> int:
    """Let *work* die at its first step, then at its second, and so on until it lives; how often it died."""
    for number in count():
        try:
            with dying_at_step(number):
                work()
        except PowerCut:
            between()
        else:
            return number
    raise AssertionError("it ends when it lives")


def emptied(database: Database) -> None:
    run(database, *(f"DROP VIEW {view}" for view in views(database)))
    run(database, *(f"DROP TABLE {table}" for table in sorted(tables(database))))


def test_a_migration_that_dies_at_every_step_in_turn_comes_to_its_end(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    wanted = schema(empty_database)
    emptied(empty_database)

    assert deaths(lambda: migrate(empty_database, emulated=True)) > len(wanted)

    assert schema(empty_database) == wanted
    assert migrate(empty_database, emulated=True) == (head_revision(), head_revision())


def test_a_real_wiki_is_left_be_by_migrations_that_die(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    before = their_schema(empty_database), their_rows(empty_database)
    migrate(empty_database, "0001_own_tables")

    deaths(lambda: migrate(empty_database))
    deaths(lambda: downgrade(empty_database))

    assert (their_schema(empty_database), their_rows(empty_database)) == before
    assert tables(empty_database) == THEIRS | {VERSION_TABLE}


def test_a_downgrade_that_dies_at_any_step_can_be_repeated(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)

    assert deaths(lambda: downgrade(empty_database, "0001_own_tables")) > len(WIKI)

    assert (tables(empty_database), views(empty_database)) == (STEPS["0001_own_tables"], set())
    assert query(empty_database, f"SELECT name FROM {MADE_HERE}") == []


def test_a_failure_on_sqlite_leaves_nothing_behind(empty_sqlite: Database) -> None:
    make_real_wiki(empty_sqlite)
    before = schema(empty_sqlite)

    def nothing_left() -> None:
        assert schema(empty_sqlite) == before

    assert deaths(lambda: migrate(empty_sqlite), nothing_left) > len(before)


def test_a_wiki_that_lacks_a_column_is_told_which_and_what_to_do(empty_database: Database, tmp_path: Path) -> None:
    make_real_wiki(empty_database)
    run(empty_database, OLD_WIKI)
    write_settings(tmp_path, database_url=empty_database.url.render_as_string(hide_password=False), emulated=False)

    result = outpatrol(tmp_path, "migrate")

    assert result.code == 1
    assert "has a table recentchanges without rc_source, which is not MediaWiki's of 1.39 or newer" in result.err
    assert "update.php" in result.err
    assert "Traceback" not in result.output


def test_a_wiki_that_lacks_a_column_is_left_as_it_is(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    run(empty_database, OLD_WIKI)
    schema_before, rows_before = their_schema(empty_database), their_rows(empty_database)

    with pytest.raises(ForeignTables):
        migrate(empty_database)

    assert their_schema(empty_database) == schema_before
    assert their_rows(empty_database) == rows_before
    assert tables(empty_database) == THEIRS
    assert views(empty_database) == set()


def test_a_wiki_that_lacked_a_column_is_migrated_once_it_is_updated(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    run(empty_database, OLD_WIKI)
    with pytest.raises(ForeignTables):
        migrate(empty_database)

    run(empty_database, UPDATED_WIKI)
    migrate(empty_database)

    assert query(empty_database, "SELECT revision FROM outpatrol_recent_change") == [{"revision": 745065890}]


def test_an_account_that_may_make_no_views_is_told_what_it_needs(account: Account) -> None:
    with pytest.raises(DatabaseNotMigrated, match=r"outpatrol_score can not be made .* CREATE VIEW"):
        migrate(account(TABLES_ONLY), emulated=True)


def test_migrating_goes_on_once_the_account_may_make_views(account: Account) -> None:
    with pytest.raises(DatabaseNotMigrated):
        migrate(account(TABLES_ONLY), emulated=True)

    assert migrate(account("CREATE VIEW"), emulated=True) == (head_revision(), head_revision())
    assert views(account("SELECT")) == VIEWS
