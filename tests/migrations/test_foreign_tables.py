"""What is in a database before we come: a wiki that exists is left be, and what does not fit is refused."""

from collections.abc import Callable

import pytest

from outbox.database import Database
from outbox.errors import ForeignTables
from outbox.mediawiki.saving import is_emulated, save_edit
from outbox.mediawiki.schema import CORE
from tests.builders import an_edit
from tests.migrations.real_wiki import THEIRS, make_real_wiki, their_rows, their_schema
from tests.migrations.revisions import ALL, MADE_HERE, VIEWS, head_revision
from tests.migrations.schemas import run, schema, tables, views
from worker.upkeep.foreign_tables import missing_core_tables
from worker.upkeep.migrating import VERSION_TABLE, downgrade, migrate

NAMES = {table.name for table in CORE}


def refusal(database: Database, *, emulated: bool) -> str:
    """What is told; the database is as it was."""
    before = schema(database)
    with pytest.raises(ForeignTables) as caught:
        migrate(database, emulated=emulated)
    assert schema(database) == before
    return str(caught.value)


def dropped_marks(database: Database) -> None:
    """As an account left it that died before its marks, or somebody who removed them."""
    run(database, f"DELETE FROM {MADE_HERE} WHERE name IN ('page', 'revision', 'recentchanges', 'actor')")


def with_prefix(database: Database) -> None:
    run(database, "CREATE TABLE mw_recentchanges (rc_id INTEGER PRIMARY KEY)")


def with_a_view_of_a_page(database: Database) -> None:
    run(database, "CREATE TABLE elsewhere (page_id INTEGER)", "CREATE VIEW page AS SELECT * FROM elsewhere")


def test_a_wiki_that_is_not_declared_emulated_gets_no_tables_of_mediawiki(empty_database: Database) -> None:
    assert migrate(empty_database) == (None, head_revision())

    assert tables(empty_database) == ALL - NAMES
    assert views(empty_database) == {"outpatrol_score"}
    assert missing_core_tables(empty_database) == (["actor", "page", "revision", "recentchanges"], [])


def test_a_wiki_that_is_declared_emulated_later_gets_what_it_lacks(empty_database: Database) -> None:
    migrate(empty_database)

    migrate(empty_database, emulated=True)

    assert (tables(empty_database), views(empty_database)) == (ALL, VIEWS)
    with empty_database.transaction() as session:
        save_edit(session, an_edit())


def test_a_mediawiki_that_comes_later_gets_the_view_of_its_changes(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    run(empty_database, "ALTER TABLE recentchanges RENAME TO moved")
    migrate(empty_database)
    assert views(empty_database) == {"outpatrol_score"}
    run(empty_database, "ALTER TABLE moved RENAME TO recentchanges")

    migrate(empty_database)

    assert views(empty_database) == VIEWS
    assert missing_core_tables(empty_database) == ([], [])


def test_a_database_of_an_older_version_is_emulated_without_being_declared(empty_database: Database) -> None:
    """Its tables are marked."""
    migrate(empty_database, emulated=True)

    assert migrate(empty_database) == (head_revision(), head_revision())
    with empty_database.transaction() as session:
        assert is_emulated(session)


@pytest.mark.parametrize("make", [make_real_wiki, with_prefix, with_a_view_of_a_page])
def test_a_wiki_that_exists_is_not_to_be_declared_emulated(
    empty_database: Database, make: Callable[[Database], None]
) -> None:
    make(empty_database)

    message = refusal(empty_database, emulated=True)

    assert "has tables of a wiki that exists" in message
    assert message.endswith("remove wikis.enwiki.emulated, or name an empty database in wikis.enwiki.database_url")


def test_an_emulated_wiki_whose_marks_are_gone_is_taken_for_a_real_one(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    dropped_marks(empty_database)

    assert "actor, page" in refusal(empty_database, emulated=True)


@pytest.mark.parametrize(
    ("table", "column", "statement"),
    [
        ("page", "page_id", "CREATE TABLE page (id INTEGER PRIMARY KEY, page_namespace INTEGER, slug VARCHAR(9))"),
        ("revision", "rev_actor", "CREATE TABLE revision (id INTEGER PRIMARY KEY, rev_id INTEGER)"),
        ("recentchanges", "rc_actor", "CREATE TABLE recentchanges (rc_id INTEGER PRIMARY KEY, rc_user INTEGER)"),
        ("actor", "actor_id", "CREATE TABLE actor (id INTEGER PRIMARY KEY, first_name VARCHAR(45))"),
        ("page", "page_id", "CREATE VIEW page AS SELECT 1 AS id"),
    ],
)
def test_a_table_of_that_name_that_is_not_mediawikis_is_refused_with_what_it_lacks(
    empty_database: Database, table: str, column: str, statement: str
) -> None:
    run(empty_database, statement)

    message = refusal(empty_database, emulated=False)

    assert f"has a table {table} without {column}, which is not MediaWiki's of 1.39 or newer" in message
    assert "correct wikis.enwiki.database_url" in message


@pytest.mark.parametrize("emulated", [False, True])
@pytest.mark.parametrize(
    ("table", "owner"), [("outbox", "Outpatrol"), ("model_candidate", "Outpatrol"), ("ores_model", "Extension:ORES")]
)
def test_a_table_of_others_under_a_name_of_ours_is_refused_before_anything_is_made(
    empty_database: Database, table: str, owner: str, *, emulated: bool
) -> None:
    """An outbox is what many programs have; taken for ours it would be written to, and dropped by a downgrade."""
    run(empty_database, f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, aggregate VARCHAR(9))")

    assert f"has a table {table} without" in (message := refusal(empty_database, emulated=emulated))
    assert f"which is not that of {owner}; rename it" in message


def test_a_downgrade_leaves_a_mediawiki_that_was_loaded_over_an_emulated_wiki(empty_database: Database) -> None:
    """The dump replaced the tables and left the marks."""
    migrate(empty_database, emulated=True)
    run(empty_database, *(f"DROP TABLE {table}" for table in sorted(THEIRS)))
    make_real_wiki(empty_database)
    schema_before, rows_before = their_schema(empty_database), their_rows(empty_database)

    assert "wiki that exists: page, revision" in refusal(empty_database, emulated=True)
    downgrade(empty_database)

    assert tables(empty_database) == THEIRS | {VERSION_TABLE}
    assert their_schema(empty_database) == schema_before
    assert their_rows(empty_database) == rows_before
