"""The defaults that give each new message room for a lease: made on a wiki that is edited, where tables are in use."""

from pathlib import Path

from outbox.database import Database
from outbox.tables import NOBODYS_TOKEN
from tests.acceptance.commands import outpatrol, write_settings
from tests.migrations.schemas import connected, query
from tests.outbox.lanes import record_edits, take
from worker.upkeep.migrating import downgrade, migrate

BEFORE = "0002_wiki_tables"


def tokens(database: Database) -> list[str | None]:
    return [row["lease_token"] for row in query(database, "SELECT lease_token FROM outbox ORDER BY id")]


def test_messages_of_before_and_after_are_claimed_together(empty_mariadb: Database) -> None:
    migrate(empty_mariadb, BEFORE, emulated=True)
    record_edits(empty_mariadb, 2)
    migrate(empty_mariadb, emulated=True)
    record_edits(empty_mariadb, 2)

    assert tokens(empty_mariadb) == [None, None, NOBODYS_TOKEN, NOBODYS_TOKEN]
    assert len(take(empty_mariadb)) == 4


def test_after_a_downgrade_messages_have_no_room_and_those_that_have_are_claimed_all_the_same(
    empty_mariadb: Database,
) -> None:
    migrate(empty_mariadb, emulated=True)
    record_edits(empty_mariadb, 2)
    downgrade(empty_mariadb, BEFORE)
    record_edits(empty_mariadb, 2)

    assert tokens(empty_mariadb) == [NOBODYS_TOKEN, NOBODYS_TOKEN, None, None]
    assert len(take(empty_mariadb)) == 4


def test_a_wiki_that_is_busy_is_told_to_migrate_again_and_holds_up_its_edits_no_longer(
    empty_mariadb: Database, tmp_path: Path
) -> None:
    migrate(empty_mariadb, BEFORE, emulated=True)
    write_settings(tmp_path, database_url=empty_mariadb.url.render_as_string(hide_password=False))

    with connected(empty_mariadb) as slow:
        slow.exec_driver_sql("INSERT INTO outbox (payload) VALUES ('{}')")
        result = outpatrol(tmp_path, "migrate")
        record_edits(empty_mariadb, 1)
        slow.rollback()

    assert result.code == 1
    assert "is locked by others" in result.err
    assert "Traceback" not in result.output
    assert outpatrol(tmp_path, "migrate").code == 0
