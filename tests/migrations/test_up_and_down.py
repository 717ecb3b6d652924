"""Migrations: up, down and up again, and never a change to what is the wiki's own."""

import pytest

from outbox.database import Database, Engines
from outbox.errors import DatabaseUnavailable
from outbox.mediawiki import metadata as wiki_metadata
from outbox.tables import metadata as lane_metadata
from tests.migrations.schemas import query, run, schema, tables
from tests.outbox.lanes import record_edits, take
from worker.classification.tables import metadata as classification_metadata
from worker.flight.tables import metadata as flight_metadata
from worker.migrating import downgrade, head_revision, migrate
from worker.processes import free_port

BOOKKEEPING = {"outpatrol_version", "outpatrol_own_table"}
LANES = set(lane_metadata.tables)
WIKI = set(wiki_metadata.tables) | set(classification_metadata.tables)
FLIGHT = set(flight_metadata.tables)

#: As a wiki of the year 2022 has them, with a row each; one column is wider than ours, to be told apart.
REAL_WIKI = (
    "CREATE TABLE ores_classification (oresc_id INTEGER PRIMARY KEY, oresc_rev INTEGER NOT NULL, its_own VARCHAR(99))",
    "INSERT INTO ores_classification VALUES (1, 745065890, 'theirs')",
    "CREATE TABLE recentchanges (rc_id INTEGER PRIMARY KEY, rc_title VARCHAR(255), its_own VARCHAR(99))",
    "INSERT INTO recentchanges VALUES (1, 'Foo', 'theirs')",
)
THEIRS = {"ores_classification", "recentchanges"}


def their_rows(database: Database) -> list[str]:
    return [row["its_own"] for table in sorted(THEIRS) for row in query(database, f"SELECT its_own FROM {table}")]


def test_an_empty_database_gets_every_table(empty_database: Database) -> None:
    migrate(empty_database)

    assert tables(empty_database) == LANES | WIKI | FLIGHT | BOOKKEEPING


def test_migrating_tells_the_revisions_before_and_after(empty_database: Database) -> None:
    assert migrate(empty_database) == (None, head_revision())


def test_the_newest_revision_is_the_one_that_single_flight_came_with() -> None:
    assert head_revision() == "0003"


def test_migrating_twice_does_nothing(empty_database: Database) -> None:
    migrate(empty_database)
    record_edits(empty_database, 3)
    before = schema(empty_database)

    assert migrate(empty_database) == (head_revision(), head_revision())
    assert schema(empty_database) == before
    assert len(take(empty_database)) == 3


def test_migrating_up_down_and_up_ends_with_the_same_schema(empty_database: Database) -> None:
    migrate(empty_database)
    before = schema(empty_database)

    assert downgrade(empty_database) == (head_revision(), None)
    assert tables(empty_database) <= {"outpatrol_version"}
    migrate(empty_database)

    assert schema(empty_database) == before


def test_migrating_goes_step_by_step_too(empty_database: Database) -> None:
    assert migrate(empty_database, "0001") == (None, "0001")
    assert tables(empty_database) == LANES | {"outpatrol_version"}

    assert migrate(empty_database) == ("0001", head_revision())
    assert downgrade(empty_database, "0001") == (head_revision(), "0001")
    assert tables(empty_database) == LANES | {"outpatrol_version"}


def test_a_real_wikis_tables_are_left_be(empty_database: Database) -> None:
    run(empty_database, *REAL_WIKI)
    before = {name: described for name, described in schema(empty_database).items() if name in THEIRS}

    migrate(empty_database)

    after = schema(empty_database)
    assert {name: after[name] for name in THEIRS} == before
    assert their_rows(empty_database) == ["theirs", "theirs"]
    assert set(after) == LANES | WIKI | FLIGHT | BOOKKEEPING


def test_a_downgrade_drops_what_is_ours_and_nothing_of_the_wikis(empty_database: Database) -> None:
    run(empty_database, *REAL_WIKI)
    migrate(empty_database)

    downgrade(empty_database)

    assert tables(empty_database) - {"outpatrol_version"} == THEIRS
    assert their_rows(empty_database) == ["theirs", "theirs"]


def test_a_real_wiki_can_be_migrated_again_after_a_downgrade(empty_database: Database) -> None:
    run(empty_database, *REAL_WIKI)
    for _ in range(2):
        migrate(empty_database)
        downgrade(empty_database)

    assert their_rows(empty_database) == ["theirs", "theirs"]


def test_a_server_that_is_down_is_told_in_a_sentence() -> None:
    database = Engines().open("enwiki", f"mariadb+pymysql://outpatrol:hidden-word@127.0.0.1:{free_port()}/enwiki")

    with pytest.raises(DatabaseUnavailable, match="does not answer") as caught:
        migrate(database)

    assert "hidden-word" not in str(caught.value)
