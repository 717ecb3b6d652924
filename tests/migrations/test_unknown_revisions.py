"""A database that another version of Outpatrol migrated: one sentence with the cure, and nothing is touched."""

from pathlib import Path

import pytest

from outbox.database import Database
from outbox.errors import DatabaseNotMigrated
from tests.acceptance.commands import outpatrol, write_settings
from tests.migrations.revisions import head_revision
from tests.migrations.schemas import query, run, schema
from tests.outbox.lanes import record_edits, take
from worker.upkeep.migrating import VERSION_TABLE, downgrade, migrate

UNRELEASED = ["0001", "0002", "0003", "0004", "0005"]


def set_revision(database: Database, revision: str) -> None:
    run(database, f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")


def test_a_database_of_a_newer_version_is_told_in_a_sentence(empty_database: Database, tmp_path: Path) -> None:
    migrate(empty_database, emulated=True)
    set_revision(empty_database, "0099_tomorrow")
    before = schema(empty_database)
    write_settings(tmp_path, database_url=empty_database.url.render_as_string(hide_password=False))

    result = outpatrol(tmp_path, "migrate")

    assert result.code == 1
    assert "is at revision 0099_tomorrow, which this version of Outpatrol does not know" in result.err
    assert "install the newer version" in result.err
    assert "Traceback" not in result.output
    assert schema(empty_database) == before
    assert query(empty_database, f"SELECT * FROM {VERSION_TABLE}") == [{"version_num": "0099_tomorrow"}]


def test_a_database_of_a_newer_version_is_not_taken_back_either(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    set_revision(empty_database, "0099_tomorrow")
    before = schema(empty_database)

    with pytest.raises(DatabaseNotMigrated, match="does not know"):
        downgrade(empty_database)

    assert schema(empty_database) == before


@pytest.mark.parametrize("revision", UNRELEASED)
def test_a_database_from_before_the_first_release_is_told_the_cure(empty_database: Database, revision: str) -> None:
    migrate(empty_database, emulated=True)
    set_revision(empty_database, revision)

    with pytest.raises(DatabaseNotMigrated) as caught:
        migrate(empty_database, emulated=True)

    assert f"is at revision {revision}, which is from before the first release" in str(caught.value)
    assert f"remove the row of {VERSION_TABLE} there, then run: outpatrol migrate --wiki enwiki" in str(caught.value)


def test_the_cure_of_a_database_from_before_the_first_release_keeps_what_is_in_it(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)
    record_edits(empty_database, 3)
    before = schema(empty_database)
    set_revision(empty_database, "0005")

    run(empty_database, f"DELETE FROM {VERSION_TABLE}")

    assert migrate(empty_database, emulated=True) == (None, head_revision())
    assert schema(empty_database) == before
    assert len(take(empty_database)) == 3
