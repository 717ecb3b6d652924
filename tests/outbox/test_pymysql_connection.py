"""Texts and moments on their way to and from MariaDB: as PyMySQL itself has them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql.converters import convert_datetime, escape_string
from sqlalchemy import make_url

from outbox.pymysql_connection import BoundedConnection, moment, open_connection, quoted

DIFFICULT = "\\ ' \" \0 \n \r \x1a \\' \\\\0 % %s \t \b ÿ 漢 🦊 -- /*"


@pytest.fixture
def connection(mariadb_url: str) -> Iterator[BoundedConnection]:
    url = make_url(mariadb_url)
    assert url.host is not None
    assert url.port is not None
    here = open_connection(host=url.host, port=url.port, user=url.username, password=url.password or "")
    yield here
    here.close()


def asked(connection: BoundedConnection, statement: str, *parameters: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        ((value,),) = cursor.fetchall()
    return value


@given(st.text() | st.text(DIFFICULT))
def test_a_text_is_quoted_as_pymysql_quotes_it_but_for_double_quotes_which_need_no_escape(text: str) -> None:
    assert quoted(text) == "'{}'".format('"'.join(escape_string(part) for part in text.split('"')))


@given(st.datetimes().map(lambda at: at.isoformat(" ")))
def test_a_moment_is_read_as_pymysql_reads_it(text: str) -> None:
    assert moment(text) == convert_datetime(text)


@pytest.mark.parametrize(
    "text",
    ["0000-00-00 00:00:00", "2026-02-31 00:00:00", "2026-00-01 00:00:00", "", "2026-11-26 00:00:00.5"],
)
def test_a_moment_that_is_none_is_read_as_pymysql_reads_it(text: str) -> None:
    assert moment(text) == convert_datetime(text)


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"])
def test_a_text_comes_back_as_it_was_sent_whatever_quotes_mean_to_the_server(
    connection: BoundedConnection, mode: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION sql_mode = '{mode}'")
    assert asked(connection, "SELECT %s", DIFFICULT) == DIFFICULT


def test_moments_keep_their_microseconds(connection: BoundedConnection) -> None:
    assert asked(connection, "SELECT TIMESTAMP('2026-11-26 01:02:03.000405')") == datetime.fromisoformat(
        "2026-11-26 01:02:03.000405"
    )


def test_a_date_that_no_calendar_has_stays_a_text(connection: BoundedConnection) -> None:
    assert asked(connection, "SELECT CAST('0000-00-00 00:00:00' AS DATETIME)") == "0000-00-00 00:00:00"
