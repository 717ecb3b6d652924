"""Connecting: repeated where that is the cure, and one sentence for an operator where it is not."""

import re
import sqlite3
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Connection, event, make_url, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from outbox import EDITS, record
from outbox.database import TRANSACTION_TRIES, Database, Engines
from outbox.errors import DatabaseNotMigrated, DatabaseUnavailable, OutboxError
from outbox.inspection import inspect_lane
from outbox.mediawiki.saving import save_edit
from outbox.server import WRITE_AHEAD_TRIES, write_ahead
from outbox.server_errors import sentence_of
from tests.builders import an_edit
from tests.clock import Clock
from tests.migrations.schemas import tables
from tests.outbox.lanes import record_edits, rows
from tests.patience import PATIENCE_SECONDS, until
from tests.services import create_database, drop_database
from tests.wiki_tables import make_tables
from worker.demo.processes import free_port
from worker.upkeep.migrating import migrate

PASSWORD = "correct-horse-battery-staple"


@pytest.fixture
def engines() -> Iterator[Engines]:
    opened = Engines()
    yield opened
    opened.close()


@pytest.fixture
def two_databases(mariadb_url: str) -> Iterator[list[str]]:
    """The URLs of two empty databases on one MariaDB server."""
    names = ["outbox_of_enwiki", "outbox_of_frwiki"]
    yield [create_database(mariadb_url, name) for name in names]
    for name in names:
        drop_database(mariadb_url, name)


@pytest.fixture
def hurried_sqlite(engines: Engines, tmp_path: Path) -> Database:
    """A migrated SQLite database that waits for no lock."""
    database = engines.open("enwiki", f"sqlite:///{tmp_path / 'enwiki.db'}")
    make_tables(database)

    @event.listens_for(database.engine, "connect")
    def wait_for_nothing(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 0")

    return database


#: May stand in place of an editor's name.
ADDRESS = "192.0.2.77"


def count_up(session: Connection, message: int) -> None:
    messages = EDITS.messages
    session.execute(update(messages).where(messages.c.id == message).values(attempt=messages.c.attempt + 1))


def sentence_about(database: Database) -> str:
    """What an operator is told when *database* is asked for anything."""
    with pytest.raises(DatabaseUnavailable) as caught, database.reading() as connection:
        connection.execute(text("SELECT 1"))
    return str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO outbox (payload, attempt) VALUES (:value, NULL)",
        "INSERT INTO outbox (no_such) VALUES (:value)",
        "INSERT INTO no_such VALUES (:value)",
        "INSERT INTO outbox VALUES (:value",
        "SELECT CAST(:value AS",
        # An id that is there twice is told by MariaDB with its value.
        "INSERT INTO outpatrol_own_table (name) VALUES (:value), (:value)",
    ],
)
def test_no_error_and_no_stack_holds_what_was_to_be_written(database: Database, statement: str) -> None:
    with pytest.raises((OutboxError, SQLAlchemyError)) as caught, database.transaction() as session:
        session.execute(text(statement), {"value": ADDRESS})
    stack = "".join(traceback.format_exception(caught.value))

    assert "Traceback" in stack
    assert ADDRESS not in str(sentence_of(caught.value)) + str(caught.value) + stack


def test_a_transaction_that_lost_a_deadlock_is_run_again(mariadb: Database) -> None:
    record_edits(mariadb, 2)
    low, high = (row["id"] for row in rows(mariadb, EDITS.messages))
    both_hold_one = Barrier(2, timeout=PATIENCE_SECONDS)
    tries: list[str] = []

    def crosswise(name: str, first: int, second: int) -> None:
        def work(session: Connection) -> None:
            tries.append(name)
            count_up(session, first)
            if tries.count(name) == 1:
                both_hold_one.wait()
            count_up(session, second)

        mariadb.run(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(crosswise, "up", low, high), pool.submit(crosswise, "down", high, low)]:
            done.result()

    # One more for each time that the other stood still for longer than a lock is waited for.
    assert len(tries) >= 3
    assert [row["attempt"] for row in rows(mariadb, EDITS.messages)] == [2, 2]


def test_a_transaction_that_found_the_database_locked_is_run_again(hurried_sqlite: Database) -> None:
    tries: list[int] = []

    with closing(sqlite3.connect(str(hurried_sqlite.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def begins(*_: object) -> None:
            tries.append(len(tries))
            if len(tries) == 3:
                other.execute("ROLLBACK")

        event.listen(hurried_sqlite.engine, "checkout", begins)
        hurried_sqlite.run(lambda session: record(session, an_edit()))

    assert len(tries) == 3
    assert len(rows(hurried_sqlite, EDITS.messages)) == 1


def test_a_transaction_is_not_run_for_ever(hurried_sqlite: Database) -> None:
    tries: list[int] = []
    event.listen(hurried_sqlite.engine, "checkout", lambda *_: tries.append(len(tries)))

    with closing(sqlite3.connect(str(hurried_sqlite.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="database is locked"):
            hurried_sqlite.run(lambda session: record(session, an_edit()))

    assert len(tries) == TRANSACTION_TRIES


def test_an_error_that_no_repetition_cures_is_raised_at_once(database: Database) -> None:
    tries: list[int] = []

    def work(session: Connection) -> None:
        tries.append(len(tries))
        save_edit(session, an_edit())

    database.run(work)
    with pytest.raises(IntegrityError):
        database.run(work)

    assert len(tries) == 2


def test_a_transaction_hands_over_what_its_work_returns(database: Database) -> None:
    assert database.run(lambda session: session.execute(text("SELECT 7")).scalar_one()) == 7


def test_reading_goes_on_while_another_writes(database: Database) -> None:
    with database.transaction() as session:
        record(session, an_edit())

        with database.reading() as connection:
            assert inspect_lane(connection, EDITS).pending == 0


def test_a_server_that_is_down_is_told_in_a_sentence_without_the_password(engines: Engines) -> None:
    port = free_port()
    sentence = sentence_about(engines.open("enwiki", f"mariadb+pymysql://outpatrol:{PASSWORD}@127.0.0.1:{port}/enwiki"))

    assert re.match(rf"enwiki: the database .*127\.0\.0\.1:{port}/enwiki does not answer", sentence)
    assert "wikis.enwiki.database_url" in sentence
    assert PASSWORD not in sentence


def test_a_wrong_password_is_told_in_a_sentence_without_it(engines: Engines, mariadb: Database) -> None:
    sentence = sentence_about(
        engines.open("enwiki", mariadb.url.set(password=PASSWORD).render_as_string(hide_password=False))
    )

    assert "Access denied" in sentence
    assert PASSWORD not in sentence


@pytest.mark.parametrize("option", ["database", "db"])
def test_an_option_of_the_url_leads_to_no_other_database_than_the_url(
    engines: Engines, two_databases: list[str], option: str
) -> None:
    enwiki, frwiki = two_databases
    migrate(engines.open("frwiki", f"{frwiki}?{option}={make_url(enwiki).database}"))

    assert "outbox" in tables(engines.open("frwiki", frwiki))
    assert tables(engines.open("enwiki", enwiki)) == set()


@pytest.mark.parametrize("option", ["autocommit=true", "autocommit=0", "sql_mode="])
def test_no_option_of_the_url_takes_a_promise_out_of_its_transaction(mariadb: Database, option: str) -> None:
    engines = Engines()
    url = mariadb.url.render_as_string(hide_password=False)
    with engines.open("enwiki", f"{url}?{option}").transaction() as session:
        record(session, an_edit())
        session.rollback()
    engines.close()

    assert rows(mariadb, EDITS.messages) == []


def test_an_unknown_database_is_told_in_a_sentence_without_the_password(engines: Engines, mariadb_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="Unknown database 'nowiki_is_not_here'") as caught:
        migrate(engines.open("nowiki", f"{mariadb_url}/nowiki_is_not_here"))

    assert str(make_url(mariadb_url).password) not in str(caught.value)


def test_a_file_that_can_not_be_opened_is_told_in_a_sentence(engines: Engines, tmp_path: Path) -> None:
    sentence = sentence_about(engines.open("enwiki", f"sqlite:///{tmp_path / 'missing' / 'enwiki.db'}"))

    assert "unable to open database file" in sentence


def test_a_file_that_is_no_database_is_told_in_a_sentence(engines: Engines, tmp_path: Path) -> None:
    file = tmp_path / "enwiki.db"
    file.write_text("This is an essay about databases. " * 100)

    assert "file is not a database" in sentence_about(engines.open("enwiki", f"sqlite:///{file}"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "enwiki.db",
        f"postgresql://outpatrol:{PASSWORD}@localhost/enwiki",
        f"mariadb://outpatrol:{PASSWORD}@localhost/enwiki",
        f"mariadb+imaginary://outpatrol:{PASSWORD}@localhost/enwiki",
        f"mariadb+pymysql://outpatrol:{PASSWORD}@localhost:port/enwiki",
        f"mariadb+pymysql://outpatrol:{PASSWORD}@localhost",
    ],
)
def test_a_wrong_url_is_refused_with_an_example_and_without_the_password(engines: Engines, url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"^enwiki: .*/enwiki") as caught:
        engines.open("enwiki", url)

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("statement", ["SELECT id FROM not_here", "SELECT not_here FROM outbox"])
def test_a_missing_table_or_column_names_the_command(database: Database, statement: str) -> None:
    if database.url.get_backend_name() != "sqlite":
        statement = statement.replace("FROM ", f"FROM {database.url.database}.")
    with (
        pytest.raises(DatabaseNotMigrated, match=r"run: outpatrol migrate --wiki enwiki$"),
        database.reading() as connection,
    ):
        connection.execute(text(statement))


def test_a_new_database_is_told_apart_from_one_that_is_down(engines: Engines, two_databases: list[str]) -> None:
    database = engines.open("enwiki", two_databases[0])

    with pytest.raises(DatabaseNotMigrated), database.reading() as connection:
        inspect_lane(connection, EDITS)


def test_wikis_on_one_server_share_a_pool(engines: Engines, two_databases: list[str]) -> None:
    enwiki, frwiki = (engines.open(wiki, url) for wiki, url in zip(["enwiki", "frwiki"], two_databases, strict=True))

    assert enwiki.engine.pool is frwiki.engine.pool


def test_wikis_on_one_server_keep_their_tables_apart(engines: Engines, two_databases: list[str]) -> None:
    enwiki, frwiki = (engines.open(wiki, url) for wiki, url in zip(["enwiki", "frwiki"], two_databases, strict=True))
    for database in (enwiki, frwiki):
        make_tables(database)

    record_edits(enwiki, 1)
    record_edits(frwiki, 2)

    assert [len(rows(database, EDITS.messages)) for database in (enwiki, frwiki)] == [1, 2]


def test_connections_that_a_burst_left_are_closed_and_the_next_one_is_opened_unseen(
    mariadb: Database, two_databases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outbox.server.IDLE_SECONDS", 1)
    monkeypatch.setattr("outbox.server.FRESH_SECONDS", 0.1)
    engines = Engines(places=4)
    wikis = [engines.open(wiki, url) for wiki, url in zip(["enwiki", "frwiki"], two_databases, strict=True)]
    # Neither is at rest for long before it is given back.
    with wikis[0].reading() as one, wikis[1].reading() as other:
        first = {number_of(one), number_of(other)}
    until(lambda: not first & connections(mariadb), "the end of connections that nobody uses")
    with wikis[0].reading() as connection:
        again = number_of(connection)

    engines.close()
    assert len(first) == 2
    assert again not in first


def number_of(connection: Connection) -> int:
    return int(connection.execute(text("SELECT CONNECTION_ID()")).scalar_one())


def connections(database: Database) -> set[int]:
    """The ids of those that are open on the server of *database*."""
    with database.reading() as connection:
        return set(connection.execute(text("SELECT id FROM information_schema.processlist")).scalars())


def test_wikis_with_a_file_each_have_a_pool_each(engines: Engines, tmp_path: Path) -> None:
    enwiki, frwiki = (engines.open(wiki, f"sqlite:///{tmp_path / wiki}.db") for wiki in ("enwiki", "frwiki"))

    assert enwiki.engine.pool is not frwiki.engine.pool


class HeldFile:
    """A connection to a file that another program holds; each look takes so many seconds of *clock*."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.looks = 0

    def execute(self, _statement: str) -> None:
        self.looks += 1
        self._clock.now += self._seconds
        raise sqlite3.OperationalError("database is locked")


@pytest.mark.parametrize(("seconds", "looks"), [(0.0, WRITE_AHEAD_TRIES), (10.0, 1)])
def test_a_file_that_another_program_holds_is_waited_for_once(seconds: float, looks: int) -> None:
    clock = Clock()
    held = HeldFile(clock, seconds)
    with pytest.raises(sqlite3.OperationalError):
        write_ahead(held, clock)
    assert held.looks == looks
