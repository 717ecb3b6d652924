"""A MariaDB server of our own that is stopped, and that refuses: waits are bounded, and told in a sentence."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple, TypeVar

import pymysql
import pytest
from sqlalchemy import delete, insert, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from outbox import EDITS, Dead, Outcome, RetryLater, claim, settle
from outbox.database import Database, Engines
from outbox.dead_letters import list_dead_letters, requeue
from outbox.errors import DatabaseRefuses, DatabaseUnavailable, OutboxError, ServerGone
from outbox.inspection import inspect_lane
from outbox.server_errors import sentence_of
from tests.patience import PATIENCE_SECONDS, until
from tests.services import QUICK, own_mariadb_server, stop_process
from tests.wiki_tables import make_tables

Result = TypeVar("Result")

#: A deadline in small: the real one is ten seconds.
SECONDS = 0.5
WIKIS = ("enwiki", "frwiki")
ADDRESS = "192.0.2.77"
#: A payload of 50 KB.
LARGE = ADDRESS * 5000
TRIGGER = "CREATE TRIGGER enwiki.{} BEFORE INSERT ON enwiki.outbox FOR EACH ROW "


class DisturbedServer(NamedTuple):
    url: str
    pid: int

    def sql(self, *statements: str) -> None:
        """Run *statements* as the server's administrator."""
        url = make_url(self.url)
        with (
            pymysql.connect(host="127.0.0.1", port=url.port or 0, user="root") as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def connections_of(self, user: str) -> int:
        """How many connections *user* has open."""
        url = make_url(self.url)
        with (
            pymysql.connect(host="127.0.0.1", port=url.port or 0, user="root") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s", (user,))
            ((count,),) = cursor.fetchall()
        return int(count)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        stop_process(self.pid)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def server() -> Iterator[DisturbedServer]:
    with own_mariadb_server([*QUICK, "--max-user-connections=50"]) as (url, pid):
        here = DisturbedServer(url, pid)
        with opened_engines() as engines:
            for wiki in WIKIS:
                here.sql(f"CREATE DATABASE {wiki}")
                its = make_url(url).set(database=wiki)
                make_tables(engines.open(wiki, its.render_as_string(hide_password=False)))
        yield here


@contextmanager
def opened_engines(seconds: float = PATIENCE_SECONDS) -> Iterator[Engines]:
    engines = Engines(places=4, seconds=seconds)
    try:
        yield engines
    finally:
        engines.close()


@pytest.fixture
def engines() -> Iterator[Engines]:
    with opened_engines(SECONDS) as opened:
        yield opened


@pytest.fixture
def account(server: DisturbedServer) -> Iterator[Database]:
    """enwiki as an account sees it that has no right to the server itself."""
    # Those of an account of the same name may still be counted.
    until(lambda: not server.connections_of("modest"), "the end of earlier connections")
    server.sql(
        "CREATE OR REPLACE USER modest@'127.0.0.1' IDENTIFIED BY 'modest'",
        "GRANT ALL ON enwiki.* TO modest@'127.0.0.1'",
        "GRANT ALL ON frwiki.* TO modest@'127.0.0.1'",
    )
    url = make_url(server.url).set(username="modest", password="modest", database="enwiki")
    with opened_engines() as engines:
        yield engines.open("enwiki", url.render_as_string(hide_password=False))
    server.sql("DROP USER modest@'127.0.0.1'")


def look(database: Database) -> None:
    with database.reading() as connection:
        inspect_lane(connection, EDITS)


def look_at_last(database: Database) -> None:
    """Look until the server answers within its deadline, as one that has much else to do may not."""

    def is_served() -> bool:
        database.server.probe()
        try:
            look(database)
        except DatabaseUnavailable:
            return False
        return True

    until(is_served, "an answer")


def without_probes(database: Database) -> Database:
    """Let nobody try a server that serves nobody, but with `probe`."""
    database.server.circuit._probe = PATIENCE_SECONDS
    return database


def seconds_of(work: Callable[[], None], error: type[Exception]) -> float:
    started = time.monotonic()
    with pytest.raises(error):
        work()
    return time.monotonic() - started


def several(measure: Callable[[], Result]) -> Iterator[Result]:
    """What *measure* finds, time and again: a busy machine adds seconds to a wait, but hardly to each."""
    for _ in range(5):
        yield measure()


def once_there_is_room(work: Callable[[], Result]) -> Result:
    """Do *work*, again while connections that were closed a moment ago still count."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return work()
        except pymysql.err.OperationalError as error:
            if error.args[0] != 1040 or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_server_that_is_stopped_is_waited_for_once_and_then_refused_at_once(
    server: DisturbedServer, is_connected: bool
) -> None:
    def seconds() -> tuple[float, float]:
        with opened_engines(SECONDS) as engines:
            enwiki, frwiki = (without_probes(engines.open(wiki, f"{server.url}/{wiki}")) for wiki in WIKIS)
            if is_connected:
                look_at_last(enwiki)
            with server.stopped():
                found = (
                    seconds_of(lambda: look(enwiki), DatabaseUnavailable),
                    seconds_of(lambda: look(frwiki), ServerGone),
                )
            look_at_last(enwiki)
            look_at_last(frwiki)
            return found

    # Less than two deadlines: a ping that is not answered is not followed by a new connection.
    assert any(waited < 1.9 * SECONDS and refused < SECONDS / 4 for waited, refused in several(seconds))


def test_a_connection_that_rested_is_asked_only_once_whether_it_is_alive(
    server: DisturbedServer, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outbox.server.FRESH_SECONDS", 0)
    database = engines.open("enwiki", f"{server.url}/enwiki")

    def seconds() -> float:
        look_at_last(database)
        with server.stopped():
            return seconds_of(lambda: look(database), DatabaseUnavailable)

    assert any(waited < 1.9 * SECONDS for waited in several(seconds))


def test_a_connection_that_the_server_closed_while_it_rested_costs_nobody_anything(
    server: DisturbedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outbox.server.FRESH_SECONDS", 0)
    with opened_engines() as engines:
        database = engines.open("enwiki", f"{server.url}/enwiki")
        with database.reading() as connection:
            number = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        server.sql(f"KILL {number}")

        look(database)


def test_a_probe_that_waits_for_a_stopped_server_ends_as_soon_as_it_goes_on(server: DisturbedServer) -> None:
    engines = Engines(seconds=30)
    database = engines.open("enwiki", f"{server.url}/enwiki")
    with ThreadPoolExecutor(1) as pool:
        with server.stopped():
            database.server.circuit.opened("stopped")
            probe = pool.submit(database.server.probe)
            time.sleep(0.3)
            assert not probe.done()
        started = time.monotonic()

        assert probe.result(timeout=PATIENCE_SECONDS)
        assert time.monotonic() - started < 25
    engines.close()


def test_transactions_that_hang_leave_no_thread_parked_behind_them(server: DisturbedServer) -> None:
    engines = Engines(places=4, seconds=30)
    enwiki = engines.open("enwiki", f"{server.url}/enwiki")
    enwiki.server.places._hang = 0.1
    with ThreadPoolExecutor(4) as pool:
        with server.stopped():
            hanging = [pool.submit(look, enwiki) for _ in range(2)]
            until(lambda: enwiki.server.places.held()["enwiki"] == 2, "two that hang")

            assert seconds_of(lambda: look(enwiki), DatabaseUnavailable) < 25
        for each in hanging:
            # Whether they connect in time the machine decides.
            assert isinstance(each.exception(timeout=PATIENCE_SECONDS), DatabaseUnavailable | None)
    engines.close()


def test_many_threads_at_once_wait_for_places_and_never_for_a_connection(server: DisturbedServer) -> None:
    engines = Engines(places=2, seconds=PATIENCE_SECONDS)
    wikis = [engines.open(wiki, f"{server.url}/{wiki}") for wiki in WIKIS]
    # A machine that stands still does not make them hang.
    wikis[0].server.places._hang = PATIENCE_SECONDS
    with ThreadPoolExecutor(16) as pool, pytest.MonkeyPatch.context() as patched:
        patched.setattr(wikis[0].server.engine.pool, "_timeout", 0)
        for done in [pool.submit(look, wikis[number % 2]) for number in range(200)]:
            done.result()
    engines.close()


def test_a_table_that_somebody_locks_is_not_waited_for_without_end(server: DisturbedServer, engines: Engines) -> None:
    database = engines.open("enwiki", f"{server.url}/enwiki")
    url = make_url(server.url)
    with (
        pymysql.connect(host="127.0.0.1", port=url.port or 0, user="root", database="enwiki") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("LOCK TABLES outbox WRITE")

        assert seconds_of(lambda: look(database), OutboxError) < 100 * SECONDS


@pytest.mark.parametrize(
    ("before", "after", "error", "words"),
    [
        (
            ["ALTER USER modest@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1"],
            [],
            DatabaseUnavailable,
            "1226: User 'modest' has exceeded the 'max_user_connections' resource",
        ),
        (["ALTER USER modest@'127.0.0.1' WITH MAX_QUERIES_PER_HOUR 2"], [], DatabaseUnavailable, "1226: "),
        (
            ["SET GLOBAL max_user_connections = 1"],
            ["SET GLOBAL max_user_connections = 0"],
            DatabaseUnavailable,
            "1203: ",
        ),
        (["ALTER USER modest@'127.0.0.1' ACCOUNT LOCK"], [], DatabaseUnavailable, "ACCOUNT UNLOCK"),
        (["ALTER USER modest@'127.0.0.1' PASSWORD EXPIRE"], [], DatabaseUnavailable, "IDENTIFIED BY"),
        (["ALTER USER modest@'127.0.0.1' REQUIRE SSL"], [], DatabaseUnavailable, "where it wants TLS, add ?ssl_ca="),
        (
            ["SET GLOBAL init_connect = 'nonsense'"],
            ["SET GLOBAL init_connect = ''"],
            DatabaseUnavailable,
            "correct its init_connect",
        ),
        (["ALTER USER modest@'127.0.0.1' IDENTIFIED BY 'new'"], [], DatabaseUnavailable, "correct user and password"),
        (["REVOKE ALL ON enwiki.* FROM modest@'127.0.0.1'"], [], DatabaseRefuses, "1142: "),
        (
            [
                "REVOKE ALL ON enwiki.* FROM modest@'127.0.0.1'",
                "GRANT SELECT, UPDATE, DELETE ON enwiki.* TO modest@'127.0.0.1'",
            ],
            [],
            DatabaseRefuses,
            "GRANT SELECT, INSERT, UPDATE, DELETE",
        ),
        (["SET GLOBAL read_only = 1"], ["SET GLOBAL read_only = 0"], DatabaseRefuses, "wait for the failover to end"),
        (
            ["ALTER TABLE enwiki.outbox ADD COLUMN theirs INT NOT NULL"],
            ["ALTER TABLE enwiki.outbox DROP COLUMN theirs"],
            DatabaseRefuses,
            "1364: Field 'theirs'",
        ),
        (
            ["RENAME TABLE enwiki.outbox TO enwiki.gone"],
            ["RENAME TABLE enwiki.gone TO enwiki.outbox"],
            OutboxError,
            "run: outpatrol migrate --wiki enwiki",
        ),
        (
            [
                TRIGGER.format("full")
                + "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'"
            ],
            ["DROP TRIGGER enwiki.full"],
            DatabaseRefuses,
            "free space",
        ),
        (
            [TRIGGER.format("no") + "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no edits today'"],
            ["DROP TRIGGER enwiki.no"],
            SQLAlchemyError,
            "failed (1644: no edits today); see its error log",
        ),
    ],
)
def test_each_refusal_is_told_with_its_cure_and_is_over_when_that_was_done(
    server: DisturbedServer, account: Database, before: list[str], after: list[str], error: type[Exception], words: str
) -> None:
    server.sql(*before)
    # A second connection is what some accounts may not have.
    another = account.engine.connect() if "max_user_connections" in before[0].lower() else nullcontext()
    try:
        with another, pytest.raises(error) as caught, account.transaction() as session:
            session.execute(insert(EDITS.messages).values(payload=ADDRESS))
    finally:
        server.sql(*after)
    shown = sentence_of(caught.value) or str(caught.value)

    assert words in shown
    assert shown.startswith("enwiki: the database mariadb+pymysql://modest:***@127.0.0.1:")
    assert ADDRESS not in shown
    assert "\n" not in shown


def test_the_server_is_the_first_to_give_up_a_statement_that_takes_too_long(
    server: DisturbedServer, account: Database
) -> None:
    server.sql(TRIGGER.format("slow") + "BEGIN DECLARE x INT; SELECT SLEEP(600) INTO x; END")
    deadlines: list[float] = []

    def insert_slowly() -> None:
        with account.transaction() as session:
            deadlines.append(session.execute(text("SELECT @@max_statement_time")).scalar_one())
            # In small.
            session.execute(text("SET SESSION max_statement_time = 0.1"))
            session.execute(insert(EDITS.messages).values(payload=ADDRESS))

    try:
        with pytest.raises(DatabaseRefuses, match=r"took too long \(1969: "):
            insert_slowly()
    finally:
        server.sql("DROP TRIGGER enwiki.slow")

    assert 0 < deadlines[0] < account.server.seconds


def test_a_server_without_a_free_connection_is_told_and_used_again_when_it_has_one(
    server: DisturbedServer, account: Database
) -> None:
    without_probes(account)
    server.sql("SET GLOBAL max_connections = 10")
    url = account.url
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(
                once_there_is_room(
                    lambda: pymysql.connect(host="127.0.0.1", port=url.port or 0, user="modest", password="modest")
                )
            )

        with pytest.raises(DatabaseUnavailable, match=r"has no connection left \(1040: .*raise its max_connections"):
            look(account)
        with pytest.raises(ServerGone):
            look(account)
    once_there_is_room(lambda: server.sql("SET GLOBAL max_connections = 151"))

    look_at_last(account)


def test_a_connection_that_is_refused_after_it_was_made_is_closed_though_its_error_is_kept(
    server: DisturbedServer, account: Database
) -> None:
    server.sql("ALTER USER modest@'127.0.0.1' PASSWORD EXPIRE")

    with pytest.raises(DatabaseUnavailable) as kept:
        look(account)

    until(lambda: not server.connections_of("modest"), "the end of its connection")
    assert kept.value is not None


@pytest.fixture
def small_packets(server: DisturbedServer, account: Database) -> Iterator[Database]:
    """A database with a message that came while the server took larger packets than it does now."""
    with account.transaction() as session:
        session.execute(delete(EDITS.messages))
        session.execute(delete(EDITS.dead_letters))
        session.execute(insert(EDITS.messages).values(payload=LARGE))
    account.server.close()
    server.sql("SET GLOBAL max_allowed_packet = 16384")
    yield account
    server.sql("SET GLOBAL max_allowed_packet = 16777216")


def test_a_packet_that_is_too_large_is_told_with_its_cure_and_closes_nothing(small_packets: Database) -> None:
    with pytest.raises(SQLAlchemyError) as caught, small_packets.transaction() as session:
        session.execute(insert(EDITS.messages).values(payload=LARGE))
    shown = str(sentence_of(caught.value))

    assert "takes no packet that large (1153: Got a packet bigger than max_allowed_packet: 50" in shown
    assert "raise its max_allowed_packet to 64M" in shown
    assert ADDRESS not in shown
    assert not small_packets.server.circuit.is_open


def test_many_rows_go_in_packets_as_large_as_the_server_takes(small_packets: Database) -> None:
    with small_packets.transaction() as session:
        session.execute(insert(EDITS.messages), [{"payload": "a" * 1000}] * 100)

    with small_packets.reading() as connection:
        assert inspect_lane(connection, EDITS).ready == 101


@pytest.mark.parametrize("outcome", [Dead("poison", "it is too large"), RetryLater(timedelta(0), "it is too large")])
def test_a_message_that_is_larger_than_the_server_takes_goes_where_others_go(
    small_packets: Database, outcome: Outcome
) -> None:
    lease = timedelta(seconds=30)
    (large,) = small_packets.run(lambda session: claim(session, EDITS, limit=10, lease=lease))
    lost = replace(large, token="of another claim")
    assert small_packets.run(lambda session: settle(session, EDITS, {lost: outcome})) == frozenset()
    kept = small_packets.run(lambda session: settle(session, EDITS, {large: outcome}))

    assert kept == {large}
    if isinstance(outcome, Dead):
        (dead,) = small_packets.run(lambda session: list_dead_letters(session, EDITS))
        assert (dead.payload, dead.attempt, dead.reason, dead.error) == (LARGE, 1, "poison", "it is too large")
        assert small_packets.run(lambda session: requeue(session, EDITS, [dead.id])) == 1
        assert small_packets.run(lambda session: requeue(session, EDITS, [dead.id])) == 0
    (again,) = small_packets.run(lambda session: claim(session, EDITS, limit=10, lease=lease))
    assert again.payload == LARGE
    assert again.attempt == (1 if isinstance(outcome, Dead) else 2)


def test_an_account_that_is_refused_closes_no_server_to_other_accounts(
    server: DisturbedServer, account: Database
) -> None:
    other = Engines()
    database = other.open("frwiki", f"{server.url}/frwiki")
    server.sql("ALTER USER modest@'127.0.0.1' ACCOUNT LOCK")
    with pytest.raises(DatabaseUnavailable):
        look(account)

    look(database)
    other.close()
