"""Migrations: up, down and up again, and never a change to what is the wiki's own."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from outbox.database import Database, Engines
from outbox.errors import DatabaseUnavailable
from tests.migrations.real_wiki import THEIRS, make_real_wiki, their_rows, their_schema
from tests.migrations.revisions import ALL, STEPS, VIEWS, head_revision
from tests.migrations.schemas import connected, run, schema, tables, views
from tests.outbox.lanes import record_edits, take
from tests.services import create_database
from tests.wiki_tables import make_tables
from worker.demo.processes import free_port
from worker.upkeep.migrating import VERSION_TABLE, downgrade, migrate


def test_an_empty_database_gets_every_table_and_view(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)

    assert tables(empty_database) == ALL
    assert views(empty_database) == VIEWS


def test_the_tables_that_other_tests_work_on_are_what_the_migrations_make(
    empty_database: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engines, url = Engines(), f"sqlite:///{tmp_path}/copy.db"
    if empty_database.url.get_backend_name() != "sqlite":
        url = create_database(request.getfixturevalue("mariadb_url"), "copy")
    copy = engines.open("enwiki", url)
    migrate(empty_database, emulated=True)

    make_tables(copy)

    assert everything(copy) == everything(empty_database)
    engines.close()


def everything(database: Database) -> Any:
    """The schema as it is told, the statements that make it again, and all rows."""
    names = sorted(tables(database))
    described = schema(database)
    with connected(database) as connection:

        def ask(statement: str) -> list[Any]:
            return [tuple(row) for row in connection.execute(text(statement))]

        if database.url.get_backend_name() == "sqlite":
            statements = ask("SELECT name, sql FROM sqlite_schema ORDER BY name")
        else:
            statements = [ask(f"SHOW CREATE TABLE `{name}`") for name in described]
        return described, statements, [ask(f"SELECT * FROM `{name}`") for name in names]


def test_migrating_tells_the_revisions_before_and_after(empty_database: Database) -> None:
    assert migrate(empty_database, emulated=True) == (None, head_revision())


def test_the_list_of_revisions_ends_with_the_newest() -> None:
    assert head_revision() == [*STEPS][-1]


def test_migrating_twice_does_nothing(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    record_edits(empty_database, 3)
    before = schema(empty_database)

    assert migrate(empty_database, emulated=True) == (head_revision(), head_revision())
    assert schema(empty_database) == before
    assert len(take(empty_database)) == 3


def test_migrating_up_down_and_up_ends_with_the_same_schema(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    before = schema(empty_database)

    assert downgrade(empty_database) == (head_revision(), None)
    assert tables(empty_database) == {VERSION_TABLE}
    assert views(empty_database) == set()
    migrate(empty_database, emulated=True)

    assert schema(empty_database) == before


def test_migrating_goes_step_by_step_up_and_down(empty_database: Database) -> None:
    revisions = [None, *STEPS]

    for before, after in zip(revisions, STEPS, strict=False):
        assert migrate(empty_database, after, emulated=True) == (before, after)
        assert tables(empty_database) == STEPS[after]
    for before, after in zip(reversed(STEPS), [*reversed(STEPS)][1:], strict=False):
        assert downgrade(empty_database, after) == (before, after)
        assert tables(empty_database) == STEPS[after]


def test_the_views_come_after_the_last_revision_and_go_with_the_tables_they_read(empty_database: Database) -> None:
    migrate(empty_database, "0002_wiki_tables", emulated=True)
    assert views(empty_database) == set()

    migrate(empty_database, emulated=True)
    assert views(empty_database) == VIEWS

    downgrade(empty_database, "0001_own_tables")
    assert views(empty_database) == set()


def test_a_view_that_a_migration_drops_comes_again_as_it_is_now(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    before = schema(empty_database)
    run(empty_database, "DROP VIEW outpatrol_score")

    migrate(empty_database, emulated=True)

    assert schema(empty_database) == before


def test_a_real_wikis_tables_are_left_be(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    schema_before, rows_before = their_schema(empty_database), their_rows(empty_database)

    migrate(empty_database)

    assert their_schema(empty_database) == schema_before
    assert their_rows(empty_database) == rows_before
    assert tables(empty_database) == ALL


def test_a_downgrade_drops_what_is_ours_and_nothing_of_the_wikis(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    schema_before, rows_before = their_schema(empty_database), their_rows(empty_database)
    migrate(empty_database)

    downgrade(empty_database)

    assert tables(empty_database) == THEIRS | {VERSION_TABLE}
    assert views(empty_database) == set()
    assert their_schema(empty_database) == schema_before
    assert their_rows(empty_database) == rows_before


def test_a_real_wiki_can_be_migrated_again_after_a_downgrade(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    migrate(empty_database)
    before = schema(empty_database)
    downgrade(empty_database)

    migrate(empty_database)

    assert schema(empty_database) == before


def test_a_server_that_is_down_is_told_in_a_sentence() -> None:
    database = Engines().open("enwiki", f"mariadb+pymysql://outpatrol:hidden-word@127.0.0.1:{free_port()}/enwiki")

    with pytest.raises(DatabaseUnavailable, match="does not answer") as caught:
        migrate(database, emulated=True)

    assert "hidden-word" not in str(caught.value)
