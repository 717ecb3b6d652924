"""A server whose replies come byte by byte: each statement has one deadline, however often something of it comes."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import OperationalError

from outbox import deadline
from outbox.database import Database, Engines
from outbox.errors import DatabaseUnavailable, ServerGone
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.patience import PATIENCE_SECONDS, until
from tests.services import create_database, drop_database

#: A deadline in small, which no pause between two bytes reaches.
SECONDS = 0.5
PAUSE = 0.2


@pytest.fixture(scope="module")
def url(mariadb_url: str) -> Iterator[str]:
    yield create_database(mariadb_url, "dripping")
    drop_database(mariadb_url, "dripping")


@pytest.fixture
def way(url: str) -> Iterator[FaultProxy]:
    with fault_proxy(make_url(url).port or 0) as proxy:
        yield proxy


def opened(url: str, way: FaultProxy, seconds: float = SECONDS) -> Database:
    through = make_url(url).set(port=way.port)
    return Engines(places=4, seconds=seconds).open("enwiki", through.render_as_string(hide_password=False))


def connected(database: Database) -> None:
    """Leave a connection in the pool; a busy machine may need more than one deadline for it."""

    def is_connected() -> bool:
        with suppress(OperationalError), database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            return True
        return False

    until(is_connected, "a connection")


def executed(statement: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text(statement))


@pytest.mark.parametrize(
    "ask",
    [executed("SELECT REPEAT('x', 500)"), executed("SET @a = 1"), Connection.commit, Connection.rollback],
    ids=["rows", "no rows", "commit", "rollback"],
)
def test_a_reply_that_drips_is_given_up_at_the_deadline_and_opens_the_circuit(
    url: str, way: FaultProxy, ask: Callable[[Connection], object]
) -> None:
    database = opened(url, way)
    connected(database)

    def drip(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        way.set("drip", seconds=PAUSE)
        ask(connection)

    with pytest.raises(DatabaseUnavailable, match="does not answer in time"):
        database.run(drip)

    assert database.server.circuit.is_open
    with pytest.raises(ServerGone):
        database.run(executed("SELECT 1"))
    database.server.close()


def test_a_connection_that_rested_and_drips_now_is_neither_waited_for_nor_followed_by_another(
    url: str, way: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outbox.server.FRESH_SECONDS", 0)
    database = opened(url, way)
    connected(database)
    way.set("drip", seconds=PAUSE)
    before = way.connections

    with pytest.raises(DatabaseUnavailable), database.reading():
        pass

    assert way.connections == before
    database.server.close()


def test_the_deadline_of_connecting_is_one_for_all_that_a_server_says_then(url: str, way: FaultProxy) -> None:
    # No reply alone takes that long, and all together take twice as long.
    database = opened(url, way, seconds=1.5)
    way.set("drip", seconds=0.012)

    with pytest.raises(DatabaseUnavailable, match="does not answer in time"), database.reading():
        pass

    assert database.server.circuit.is_open
    database.server.close()


def test_a_probe_of_a_server_that_drips_leaves_the_circuit_open(url: str, way: FaultProxy) -> None:
    database = opened(url, way)
    database.server.circuit.opened("it dripped")
    way.set("drip", seconds=PAUSE)

    assert not database.server.probe()
    database.server.close()


def test_every_statement_of_a_connection_has_the_whole_deadline(
    url: str, way: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(url, way, seconds=PATIENCE_SECONDS)
    with database.reading() as connection:
        # Most of a deadline passes between two pieces of what is read, again and again.
        moments = itertools.count(time.monotonic(), PATIENCE_SECONDS / 3)
        monkeypatch.setattr(deadline, "monotonic", moments.__next__)
        for _ in range(5):
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.server.close()


def test_a_large_reply_may_come_in_many_pieces(url: str, way: FaultProxy) -> None:
    database = opened(url, way, seconds=PATIENCE_SECONDS)
    with database.reading() as connection:
        rows = connection.execute(text(f"SELECT seq, REPEAT('x', 50) FROM {database.schema}.seq_1_to_100000")).all()

    assert len(rows) == 100_000
    database.server.close()
