"""Columns: what goes in comes out, on both databases, and the clock is the database's."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from outbox.columns import database_now
from outbox.database import Database
from outbox.mediawiki.schema import actor

NAMES = ["Ünïcödé", "Користувач", "利用者名", "مستخدم", "उपयोगकर्ता", "👩‍💻 emoji", "a\\b'c\"d%s", "trailing space "]


def stored(database: Database, name: str) -> list[str]:
    with database.transaction() as session:
        session.execute(insert(actor).values(actor_name=name))
    with database.reading() as connection:
        return list(connection.execute(select(actor.c.actor_name).where(actor.c.actor_name == name)).scalars())


@pytest.mark.parametrize("name", NAMES)
def test_a_binary_string_comes_back_as_it_went_in(database: Database, name: str) -> None:
    assert stored(database, name) == [name]


def test_binary_strings_differ_by_case_and_accent(database: Database) -> None:
    with database.transaction() as session:
        session.execute(insert(actor), [{"actor_name": name} for name in ("alice", "Alice", "alicé", "alice ")])

    with database.reading() as connection:
        assert len(connection.execute(select(actor.c.actor_name)).all()) == 4


def test_mariadb_counts_the_length_of_a_binary_string_in_bytes(mariadb: Database) -> None:
    assert stored(mariadb, "é" * 127) == ["é" * 127]
    with pytest.raises(DBAPIError, match="Data too long"):
        stored(mariadb, "é" * 128)


def test_the_databases_clock_tells_utc(database: Database) -> None:
    with database.reading() as connection:
        now = connection.execute(select(database_now())).scalar_one()

    assert abs(now - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "ahead", [timedelta(seconds=45), timedelta(hours=-3), timedelta(days=40), timedelta(milliseconds=250)]
)
def test_the_databases_clock_tells_a_moment_ahead_or_past(database: Database, ahead: timedelta) -> None:
    with database.reading() as connection:
        now, moment = connection.execute(select(database_now(), database_now(ahead))).one()

    assert moment - now == pytest.approx(ahead, abs=timedelta(milliseconds=50))


def test_moments_of_the_clock_compare_as_they_follow(database: Database) -> None:
    # SQLite compares text: a shorter fraction of a second would sort wrongly.
    moments = [database_now(timedelta(milliseconds=step)) for step in (-1_000, -1, 1_000, 60_000)]
    with database.reading() as connection:
        row = connection.execute(select(*(earlier < later for earlier, later in itertools.pairwise(moments)))).one()

    assert list(map(bool, row)) == [True, True, True]
