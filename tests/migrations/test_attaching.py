"""The trigger that promises the edits of a wiki that exists, on the tables of a real one."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from types import SimpleNamespace
from typing import cast

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from outbox import EDITS, Delivered, claim, settle
from outbox.database import Database
from outbox.errors import DatabaseRefuses
from outbox.mediawiki.attaching import TRIGGER, attach, detach, is_attached
from outbox.saved_revisions import SavedRevision
from tests.migrations.attached_wiki import NEW, make_attached, promised, revision
from tests.migrations.conftest import Account
from tests.migrations.real_wiki import make_real_wiki
from tests.migrations.schemas import connected, query, run
from tests.patience import PATIENCE_SECONDS, until
from worker.config.settings_sections import WikiSettings
from worker.config.wiki import Wiki
from worker.upkeep import attaching
from worker.upkeep.attaching import keep_attached
from worker.upkeep.migrating import downgrade, migrate


@pytest.fixture
def wiki(empty_database: Database) -> Database:
    make_attached(empty_database)
    return empty_database


def numbers(found: list[SavedRevision]) -> list[int]:
    return [each.revision for each in found]


def test_a_saved_revision_is_promised_with_the_time_by_the_databases_clock(wiki: Database) -> None:
    run(wiki, revision())

    (found,) = promised(wiki)

    assert (found.wiki, found.revision) == ("enwiki", NEW)
    assert timedelta(0) <= datetime.now(UTC) - found.saved_at < timedelta(minutes=5)


def test_an_edit_that_is_rolled_back_is_not_promised(wiki: Database) -> None:
    with suppress(ZeroDivisionError), connected(wiki) as connection:
        connection.execute(text(revision()))
        raise ZeroDivisionError

    assert promised(wiki) == []


def test_every_row_of_one_statement_is_promised(wiki: Database) -> None:
    # As an undelete writes them.
    columns = "rev_page, rev_comment_id, rev_actor, rev_timestamp"
    run(wiki, f"INSERT INTO revision ({columns}) SELECT {columns} FROM revision ORDER BY rev_id")

    assert len(promised(wiki)) == 2


def test_the_wiki_learns_the_number_of_its_own_row_and_not_that_of_the_message(wiki: Database) -> None:
    counted = "INSERT INTO revision (rev_page, rev_comment_id, rev_actor, rev_timestamp) VALUES (5, 1, 7, '2022')"
    with connected(wiki) as connection:
        number = connection.execute(text(counted)).lastrowid

    assert numbers(promised(wiki)) == [number]
    assert number > 745065890


def test_a_connection_as_mediawiki_opens_it_can_save(empty_mariadb: Database) -> None:
    # Source of both: mediawiki/core includes/libs/rdbms/database/DatabaseMySQL.php and MainConfigSchema.php, REL1_39.
    make_attached(empty_mariadb)

    run(empty_mariadb, "SET sql_mode = ''", "SET NAMES binary", revision())

    assert numbers(promised(empty_mariadb)) == [NEW]


def test_without_its_promise_no_edit_is_saved(wiki: Database) -> None:
    run(wiki, "DROP TABLE outbox")

    with pytest.raises(DBAPIError, match="outbox"):
        run(wiki, revision())

    assert query(wiki, f"SELECT * FROM revision WHERE rev_id = {NEW}") == []


def test_attaching_again_changes_nothing(wiki: Database) -> None:
    assert not wiki.run(lambda connection: attach(connection, "enwiki"))

    run(wiki, revision())

    assert numbers(promised(wiki)) == [NEW]


def test_attaching_again_does_not_wait_for_edits_that_are_being_saved(empty_mariadb: Database) -> None:
    make_attached(empty_mariadb)
    with connected(empty_mariadb) as saving:
        saving.execute(text(revision()))

        assert not empty_mariadb.run(lambda connection: attach(connection, "enwiki"))


def test_a_trigger_of_ours_that_does_something_else_is_replaced(wiki: Database) -> None:
    assert wiki.run(lambda connection: attach(connection, "dewiki"))
    assert not wiki.run(lambda connection: is_attached(connection, "enwiki"))

    run(wiki, revision())

    assert [each.wiki for each in promised(wiki)] == ["dewiki"]


def test_a_detached_wiki_promises_nothing_more_and_keeps_what_it_promised(wiki: Database) -> None:
    run(wiki, revision())
    assert wiki.run(lambda connection: detach(connection, "enwiki"))
    assert not wiki.run(lambda connection: detach(connection, "enwiki"))
    run(wiki, revision(NEW + 1))

    assert numbers(promised(wiki)) == [NEW]


def test_a_table_that_was_made_anew_shows_that_the_wiki_is_not_attached(wiki: Database) -> None:
    run(
        wiki,
        "CREATE TABLE newer AS SELECT * FROM revision",
        "DROP TABLE revision",
        "ALTER TABLE newer RENAME TO revision",
    )

    assert not wiki.run(lambda connection: is_attached(connection, "enwiki"))


def test_a_downgrade_leaves_no_trigger_that_would_stop_all_edits(wiki: Database) -> None:
    downgrade(wiki)

    run(wiki, revision())

    assert query(wiki, f"SELECT rev_id FROM revision WHERE rev_id = {NEW}") == [{"rev_id": NEW}]


def test_a_trigger_of_somebody_else_goes_on(empty_mariadb: Database) -> None:
    make_attached(empty_mariadb)
    run(empty_mariadb, "CREATE TABLE copies (id INT)")
    run(empty_mariadb, "CREATE TRIGGER a AFTER INSERT ON revision FOR EACH ROW INSERT INTO copies VALUES (NEW.rev_id)")
    run(empty_mariadb, revision())
    empty_mariadb.run(lambda connection: detach(connection, "enwiki"))
    run(empty_mariadb, revision(NEW + 1))

    assert [row["id"] for row in query(empty_mariadb, "SELECT id FROM copies ORDER BY id")] == [NEW, NEW + 1]
    assert numbers(promised(empty_mariadb)) == [NEW]


def test_a_table_in_use_is_waited_for_shortly(empty_mariadb: Database) -> None:
    make_attached(empty_mariadb)
    with connected(empty_mariadb) as saving:
        saving.execute(text(revision()))

        with pytest.raises(DBAPIError, match="Lock wait timeout"), empty_mariadb.transaction() as connection:
            detach(connection, "enwiki")

    assert [row["Trigger"] for row in query(empty_mariadb, "SHOW TRIGGERS")] == [TRIGGER]


def test_an_account_that_may_make_no_triggers_is_told_which_right_it_lacks(
    empty_mariadb: Database, account: Account
) -> None:
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    modest = account("SELECT, INSERT, UPDATE, DELETE")

    with pytest.raises(DatabaseRefuses, match="for an attached wiki TRIGGER as well"):
        keep_attached(a_wiki(modest))


def test_a_table_that_is_in_use_for_a_moment_is_waited_for(empty_mariadb: Database) -> None:
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    with ThreadPoolExecutor(1) as threads:
        with connected(empty_mariadb) as saving:
            saving.execute(text(revision()))
            attaching = threads.submit(keep_attached, a_wiki(empty_mariadb))
            until_it_waits(empty_mariadb)

        assert attaching.result(PATIENCE_SECONDS)
    assert empty_mariadb.run(lambda connection: is_attached(connection, "enwiki"))


def test_a_table_that_is_never_free_is_given_up_after_as_many_tries(
    empty_mariadb: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = list[float]()
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(attaching, "TRIES", 3)
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    with connected(empty_mariadb) as dump:
        dump.execute(text("SELECT * FROM revision")).all()

        with pytest.raises(OperationalError, match="Lock wait timeout"):
            keep_attached(a_wiki(empty_mariadb))

    # Each as long as the others: what waited for us goes on meanwhile, and the whole ends within a minute.
    assert pauses == [attaching.PAUSE_SECONDS] * 2


def test_an_edit_beside_the_wait_for_a_table_is_saved_soon(empty_mariadb: Database) -> None:
    # A dump holds the table, all that comes after our wait waits behind us, and goes on when we give up.
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    with connected(empty_mariadb) as dump:
        dump.execute(text("SELECT * FROM revision")).all()
        with ThreadPoolExecutor(1) as threads:
            attaching = threads.submit(keep_attached, a_wiki(empty_mariadb))
            until_it_waits(empty_mariadb)

            run(empty_mariadb, "SET lock_wait_timeout = 60", revision())

            assert not attaching.done()
            dump.rollback()


def until_it_waits(database: Database) -> None:
    waiting = "SELECT 1 FROM information_schema.processlist WHERE state = 'Waiting for table metadata lock'"
    until(lambda: bool(query(database, waiting)), "a wait for the table")


def test_a_trigger_of_an_account_that_was_dropped_is_made_anew(empty_mariadb: Database, account: Account) -> None:
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    former = account("SELECT, INSERT, UPDATE, DELETE, TRIGGER")
    assert keep_attached(a_wiki(former))
    run(empty_mariadb, "DROP USER modest@'127.0.0.1'", "CREATE USER modest@'127.0.0.1' IDENTIFIED BY 'other'")
    with pytest.raises(DBAPIError, match="command denied"):
        run(empty_mariadb, revision())

    assert keep_attached(a_wiki(empty_mariadb))

    run(empty_mariadb, revision())
    assert numbers(promised(empty_mariadb)) == [NEW]


def test_a_trigger_that_a_tool_left_at_the_old_table_is_moved(empty_mariadb: Database) -> None:
    # As gh-ost and pt-online-schema-change leave it when they swap the tables.
    make_attached(empty_mariadb)
    run(empty_mariadb, "CREATE TABLE newer LIKE revision", "RENAME TABLE revision TO older, newer TO revision")
    assert not empty_mariadb.run(lambda connection: is_attached(connection, "enwiki"))

    assert keep_attached(a_wiki(empty_mariadb))

    run(empty_mariadb, revision())
    assert numbers(promised(empty_mariadb)) == [NEW]
    assert [row["Table"] for row in query(empty_mariadb, "SHOW TRIGGERS")] == ["revision"]


def test_a_copy_of_the_trigger_under_another_name_promises_and_goes_with_it(empty_mariadb: Database) -> None:
    # As gh-ost copies triggers.
    make_attached(empty_mariadb)
    (trigger,) = query(empty_mariadb, "SHOW TRIGGERS")
    statement = str(trigger["Statement"]).replace(":", "\\:")
    run(
        empty_mariadb,
        f"CREATE TRIGGER {TRIGGER}_ghost AFTER INSERT ON revision FOR EACH ROW {statement}",
        f"DROP TRIGGER {TRIGGER}",
    )

    assert not keep_attached(a_wiki(empty_mariadb))
    run(empty_mariadb, revision())
    empty_mariadb.run(lambda connection: detach(connection, "enwiki"))

    assert numbers(promised(empty_mariadb)) == [NEW]
    assert query(empty_mariadb, "SHOW TRIGGERS") == []


def test_an_account_that_may_not_see_the_trigger_takes_it_to_be_ours_by_its_name(
    empty_mariadb: Database, account: Account
) -> None:
    # MariaDB shows such accounts that there is a trigger, and nothing of it, from 10.11.15 on (MDEV-37474).
    make_attached(empty_mariadb)
    modest = account("SELECT, INSERT, UPDATE, DELETE")
    with modest.reading() as connection:
        shown = connection.execute(text("SELECT 1 FROM information_schema.triggers WHERE action_statement IS NULL"))
        is_shown = shown.first() is not None

    assert modest.run(lambda connection: is_attached(connection, "enwiki")) is is_shown


def test_a_table_that_keeps_an_edit_without_its_promise_is_refused(empty_mariadb: Database) -> None:
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    run(empty_mariadb, "ALTER TABLE revision ENGINE = Aria")

    with pytest.raises(DatabaseRefuses, match="of the engine Aria"):
        keep_attached(a_wiki(empty_mariadb))

    assert query(empty_mariadb, "SHOW TRIGGERS") == []


def test_edits_of_a_mediawiki_wait_for_no_lock_of_those_who_drain(empty_mariadb: Database) -> None:
    # MediaWiki leaves its transactions REPEATABLE READ, where locks of gaps would be met.
    make_attached(empty_mariadb)
    drained, over = list[int](), Event()

    def drain() -> None:
        while not over.is_set() or promised_left():
            with empty_mariadb.transaction() as connection:
                claims = claim(connection, EDITS, limit=7, lease=timedelta(seconds=30))
            empty_mariadb.run(partial(settle, lane=EDITS, outcomes=dict.fromkeys(claims, Delivered())))
            drained.extend(SavedRevision.decode(each.payload).revision for each in claims)

    def promised_left() -> bool:
        return bool(query(empty_mariadb, "SELECT 1 FROM outbox LIMIT 1"))

    with ThreadPoolExecutor(2) as threads:
        drains = [threads.submit(drain) for _ in range(2)]
        try:
            for number in range(NEW, NEW + 200):
                run(empty_mariadb, "SET SESSION innodb_lock_wait_timeout = 0", revision(number))
        finally:
            over.set()
        for each in drains:
            each.result(PATIENCE_SECONDS)

    assert sorted(drained) == list(range(NEW, NEW + 200))


def a_wiki(database: Database) -> Wiki:
    settings = WikiSettings(database_url=SecretStr("sqlite://"), domain="en.wikipedia.org", attached=True)
    return cast("Wiki", SimpleNamespace(id="enwiki", database=database, settings=settings))
