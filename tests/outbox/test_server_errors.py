"""What database servers say, in one sentence with its cure and without the values of a row."""

import sqlite3

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

import worker.upkeep.foreign_tables  # noqa: F401 - declares all tables of ours
from outbox.server_errors import Kind, sentence, sentence_of, server_text, trouble_of
from outbox.tables import metadata

ADDRESS = "192.0.2.77"


def of_mariadb(number: int, text: str) -> DBAPIError:
    return DatabaseError("INSERT INTO actor VALUES (%s)", {"name": ADDRESS}, pymysql.err.OperationalError(number, text))


def of_sqlite(text: str) -> DBAPIError:
    return DatabaseError("INSERT INTO actor VALUES (?)", {"name": ADDRESS}, sqlite3.DatabaseError(text))


@pytest.mark.parametrize(
    ("number", "kind", "cure"),
    [
        (1040, Kind.SERVER, "max_connections"),
        (1203, Kind.SERVER, "max_user_connections"),
        (1226, Kind.SERVER, "ALTER USER"),
        (1129, Kind.SERVER, "FLUSH HOSTS"),
        (1045, Kind.SERVER, "wikis.enwiki.database_url"),
        (1820, Kind.SERVER, "IDENTIFIED BY"),
        (1862, Kind.SERVER, "IDENTIFIED BY"),
        (4151, Kind.SERVER, "ACCOUNT UNLOCK"),
        (2003, Kind.SERVER, "start it"),
        (2013, Kind.SERVER, "start it"),
        (1047, Kind.SERVER, "wsrep"),
        (1044, Kind.DATABASE, "GRANT"),
        (1049, Kind.DATABASE, "create it"),
        (1146, Kind.NOT_MIGRATED, "outpatrol migrate --wiki enwiki"),
        (1142, Kind.REFUSED, "GRANT SELECT, INSERT, UPDATE, DELETE"),
        (1290, Kind.REFUSED, "failover"),
        (1836, Kind.REFUSED, "failover"),
        (1036, Kind.REFUSED, "failover"),
        (1881, Kind.REFUSED, "innodb_force_recovery"),
        (1184, Kind.SERVER, "init_connect"),
        (1114, Kind.REFUSED, "free space"),
        (1021, Kind.REFUSED, "free space"),
        (1969, Kind.REFUSED, "database.timeout_seconds"),
        (1665, Kind.REFUSED, "binlog_format"),
        (1364, Kind.REFUSED, "default"),
        (1153, Kind.VALUE, "max_allowed_packet"),
        (1205, Kind.BUSY, "INNODB STATUS"),
        (1406, Kind.VALUE, "column"),
        (1644, Kind.UNKNOWN, "error log"),
    ],
)
def test_each_number_of_mariadb_has_its_kind_and_its_cure(number: int, kind: Kind, cure: str) -> None:
    error = of_mariadb(number, "what the server said")
    shown = sentence(error, "enwiki", "mariadb://db/enwiki")

    assert trouble_of(error).kind is kind
    assert shown.startswith("enwiki: the database mariadb://db/enwiki ")
    assert f"({number}: what the server said); " in shown
    assert cure in shown
    assert "\n" not in shown
    assert ADDRESS not in shown


@pytest.mark.parametrize(
    ("text", "kind", "cure"),
    [
        ("database disk image is malformed", Kind.REFUSED, "backup"),
        ("malformed database schema (outbox)", Kind.REFUSED, "backup"),
        ("file is not a database", Kind.DATABASE, "correct wikis.enwiki.database_url"),
        ("unable to open database file", Kind.DATABASE, "folder"),
        ("attempt to write a readonly database", Kind.REFUSED, "right to write"),
        ("database or disk is full", Kind.REFUSED, "free space"),
        ("disk I/O error", Kind.REFUSED, "disk"),
        ("database is locked", Kind.BUSY, "end the program"),
        ("no such table: outbox", Kind.NOT_MIGRATED, "outpatrol migrate"),
        ("table actor has no column named actor_x", Kind.NOT_MIGRATED, "outpatrol migrate"),
        ("something new", Kind.UNKNOWN, "error log"),
    ],
)
def test_each_text_of_sqlite_has_its_kind_and_its_cure(text: str, kind: Kind, cure: str) -> None:
    error = of_sqlite(text)

    assert trouble_of(error).kind is kind
    assert f"({text}); " in sentence(error, "enwiki", "sqlite:///enwiki.db")
    assert cure in sentence(error, "enwiki", "sqlite:///enwiki.db")


@pytest.mark.parametrize(
    "error",
    [
        of_mariadb(1146, "Table 'enwiki.recentchanges' doesn't exist"),
        of_mariadb(1146, "Table 'enwiki.page' doesn't exist"),
        of_mariadb(1054, "Unknown column 'revision.rev_actor' in 'SELECT'"),
        of_mariadb(1054, "Unknown column 'r.rc_source' in 'WHERE'"),
        of_sqlite("no such table: revision"),
        of_sqlite("no such table: enwiki.actor"),
        of_sqlite("no such column: page.page_latest"),
    ],
)
def test_of_a_table_of_mediawikis_it_is_said_what_works_without(error: DBAPIError) -> None:
    shown = sentence(error, "enwiki", "mariadb://db/enwiki")

    assert trouble_of(error).kind is Kind.NOT_MIGRATED
    assert "lacks a table or column of MediaWiki's" in shown
    assert "what is recorded there is scored and announced without it" in shown
    assert "update.php" in shown


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_no_table_or_column_of_ours_is_taken_for_mediawikis(name: str) -> None:
    texts = [
        f"no such table: {name}",
        *(f"no such column: {name}.{each.name}" for each in metadata.tables[name].columns),
    ]

    assert all("of ours" in sentence(of_sqlite(text), "enwiki", "sqlite:///enwiki.db") for text in texts)


def test_a_time_out_of_the_driver_is_told_from_a_server_that_is_gone() -> None:
    late = of_mariadb(2013, "Lost connection to MySQL server during query (timed out)")

    assert "does not answer in time" in sentence(late, "enwiki", "mariadb://db/enwiki")


@pytest.mark.parametrize(
    "error",
    [
        pymysql.err.OperationalError(2006, "MySQL server has gone away (BrokenPipeError(32, 'Broken pipe'))"),
        pymysql.err.OperationalError(2013, "Lost connection ([Errno 104] Connection reset by peer)"),
        pymysql.err.InternalError("Packet sequence number wrong - got 1 expected 2"),
    ],
)
def test_a_connection_that_is_cut_off_may_have_carried_too_much(error: Exception) -> None:
    wrapped = DatabaseError("INSERT INTO outbox VALUES (%s)", {}, error)

    assert trouble_of(wrapped).kind is Kind.SERVER
    assert "max_allowed_packet" in sentence(wrapped, "enwiki", "mariadb://db/enwiki")


def test_a_pool_without_a_free_connection_is_no_word_of_the_server() -> None:
    trouble = trouble_of(NoConnectionFree("QueuePool limit of size 5 overflow 0 reached"))

    assert trouble.kind is Kind.DATABASE
    assert not trouble.is_an_answer


@pytest.mark.parametrize(
    ("number", "text", "shown"),
    [
        (1062, f"Duplicate entry '{ADDRESS}' for key 'actor_name'", "Duplicate entry '…' for key 'actor_name'"),
        (1062, "Duplicate entry 'O'Brien' for key 'actor_name'", "Duplicate entry '…' for key 'actor_name'"),
        (
            1366,
            f"Incorrect string value: '{ADDRESS}' for column `a`.`b`",
            "Incorrect string value: '…' for column `a`.`b`",
        ),
        (1064, f"You have an error near ''{ADDRESS}', 1)' at line 1", "You have an error near '…' at line 1"),
    ],
)
def test_values_of_rows_are_left_out(number: int, text: str, shown: str) -> None:
    assert server_text(of_mariadb(number, text)) == f"{number}: {shown}"


@given(st.text())
def test_no_value_comes_through_whatever_is_in_it(value: str) -> None:
    marked = f"{ADDRESS}{value}{ADDRESS}"

    assert ADDRESS not in server_text(of_mariadb(1062, f"Duplicate entry '{marked}' for key 'actor_name'"))


def test_an_error_that_was_not_translated_says_where_it_was() -> None:
    error = of_mariadb(1644, "no edits today")
    error.add_note("enwiki: the database mariadb://db/enwiki")

    shown = "enwiki: the database mariadb://db/enwiki failed (1644: no edits today); see its error log"
    assert sentence_of(error) == shown
    assert sentence_of(ValueError("no database")) is None
