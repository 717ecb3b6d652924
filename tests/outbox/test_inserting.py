"""Many rows in one statement, past the compiler."""

import pytest
from sqlalchemy import insert, select

from outbox import EDITS
from outbox.database import Database
from outbox.inserting import insert_rows
from tests.outbox.lanes import statements

DEAD = EDITS.dead_letters
INSERT = insert(DEAD)
COLUMNS = ("payload", "attempt", "recorded_at", "reason", "error")
MOMENT = "2024-05-01 12:00:00"


def test_many_rows_are_one_statement_and_come_back_as_they_were(database: Database) -> None:
    texts = ["%s", "%(payload)s", "100 %", "it's", "\\", "наука"]
    rows = [(text, number, MOMENT, "undecodable", text) for number, text in enumerate(texts)]

    with statements(database.engine) as seen, database.transaction() as connection:
        insert_rows(connection, INSERT, COLUMNS, rows)

    assert len(seen) == 1
    with database.reading() as connection:
        found = connection.execute(select(DEAD.c.payload, DEAD.c.attempt, DEAD.c.error).order_by(DEAD.c.id)).all()
    assert [tuple(row) for row in found] == [(text, number, text) for number, text in enumerate(texts)]


def test_no_rows_are_no_statement(database: Database) -> None:
    with statements(database.engine) as seen, database.transaction() as connection:
        insert_rows(connection, INSERT, COLUMNS, [])

    assert not seen


def test_columns_in_another_order_than_the_table_are_refused_where_values_go_by_their_place(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(ValueError, match="not in the order of the table"):
        insert_rows(connection, INSERT, COLUMNS[::-1], [("e", "r", MOMENT, 1, "{}")])
