"""Rows are written once and never changed."""

from typing import Any

from sqlalchemy import select

from outbox.database import Database
from tests.worker.lines import statements
from worker.classification.rows import Classification
from worker.classification.store import store
from worker.classification.tables import ores_classification


def a_row(revision: int, probability: float, *, class_id: int = 1) -> Classification:
    return Classification(revision, 3, class_id, probability, is_predicted=probability > 0.5)


def write(database: Database, *rows: Classification) -> None:
    with database.transaction() as session:
        store(session, rows)


def stored(database: Database) -> list[tuple[Any, ...]]:
    row = ores_classification.c
    with database.reading() as connection:
        query = select(row.oresc_rev, row.oresc_model, row.oresc_class, row.oresc_probability, row.oresc_is_predicted)
        return sorted(tuple(each) for each in connection.execute(query))


def test_rows_are_stored_as_they_are(database: Database) -> None:
    write(database, a_row(7, 0.12), a_row(8, 0.999))

    assert stored(database) == [(7, 3, 1, 0.12, 0), (8, 3, 1, 0.999, 1)]


def test_a_row_that_is_there_is_kept(database: Database) -> None:
    write(database, a_row(7, 0.12))
    write(database, a_row(7, 0.9))

    assert stored(database) == [(7, 3, 1, 0.12, 0)]


def test_new_rows_beside_one_that_is_there_are_stored(database: Database) -> None:
    write(database, a_row(7, 0.12))
    write(database, a_row(7, 0.12), a_row(7, 0.3, class_id=2), a_row(8, 0.4))

    assert [row[:3] for row in stored(database)] == [(7, 3, 1), (7, 3, 2), (8, 3, 1)]


def test_storing_again_changes_nothing(database: Database) -> None:
    rows = [a_row(revision, 0.5) for revision in range(1, 50)]
    write(database, *rows)
    before = stored(database)
    write(database, *reversed(rows))

    assert stored(database) == before


def test_all_rows_are_one_statement(database: Database) -> None:
    with statements(database) as seen:
        write(database, *(a_row(revision, 0.5) for revision in range(1, 400)))

    assert len(seen) == 1


def test_no_rows_are_no_statement(database: Database) -> None:
    with statements(database) as seen:
        write(database)

    assert seen == []


def test_the_commit_is_left_to_the_caller(database: Database) -> None:
    with database.transaction() as session:
        store(session, [a_row(7, 0.12)])
        session.rollback()

    assert stored(database) == []
