"""Rows of versions that are no longer current are removed: only those, a few at a time, without blocking anybody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert

from outbox.database import Database
from tests.outbox.lanes import statements
from tests.worker.lines import classified_revisions
from tests.worker.upkeep.looking import NEW, OLD, classify, id_of, rows_of_versions
from worker.scores.candidates import Finding, apply
from worker.scores.model_versions import make_current
from worker.scores.tables import ores_model
from worker.upkeep.purging import count_versions, doomed_versions, outdated_versions, purge_versions


def promote(database: Database, name: str, version: str) -> None:
    with database.transaction() as session:
        make_current(session, name, version)


def names(database: Database, **choice: Any) -> list[tuple[str, str]]:
    return [(model.name, model.version) for model in doomed_versions(database, **choice)]


@pytest.fixture
def two_versions(database: Database) -> Database:
    """25 rows of damaging 0.5.1, and 7 of 0.6.0, which is current."""
    classify(database, range(1, 26))
    classify(database, range(26, 33), version=NEW)
    promote(database, "damaging", NEW)
    return database


def purge(database: Database, batch_size: int = 10) -> list[int]:
    """Purge what is not current; returns how many rows each step removed."""
    return [step.rows for step in purge_versions(database, doomed_versions(database), batch_size)]


def test_rows_of_old_versions_go_and_those_of_the_current_one_stay(two_versions: Database) -> None:
    purge(two_versions)

    assert rows_of_versions(two_versions) == {("damaging", NEW): 7}


def test_no_transaction_removes_more_than_a_batch(two_versions: Database) -> None:
    with statements(two_versions.engine) as seen:
        assert purge(two_versions) == [10, 10, 5]

    assert [len(each.parameters) for each in seen if "DELETE" in each.text] == [10, 10, 5]


def test_each_step_is_committed_before_it_is_told(two_versions: Database) -> None:
    left = [
        rows_of_versions(two_versions)["damaging", OLD]
        for _ in purge_versions(two_versions, doomed_versions(two_versions), 10)
    ]

    assert left == [15, 5, 0]


def test_a_purge_that_is_left_half_way_keeps_the_rest(two_versions: Database) -> None:
    next(purge_versions(two_versions, doomed_versions(two_versions), 10))

    assert rows_of_versions(two_versions) == {("damaging", OLD): 15, ("damaging", NEW): 7}


def test_a_purge_that_is_repeated_finds_nothing_more(two_versions: Database) -> None:
    purge(two_versions)

    assert purge(two_versions) == []


def test_only_the_versions_of_the_models_that_were_named_are_doomed(two_versions: Database) -> None:
    classify(two_versions, [1], "goodfaith")
    classify(two_versions, [2], "goodfaith", NEW)
    promote(two_versions, "goodfaith", NEW)

    assert names(two_versions, names=["goodfaith"]) == [("goodfaith", OLD)]


def test_the_current_versions_are_doomed_only_on_request(two_versions: Database) -> None:
    assert names(two_versions) == [("damaging", OLD)]
    assert names(two_versions, current_too=True) == [("damaging", OLD), ("damaging", NEW)]


def test_a_model_without_any_current_version_is_found_all_the_same(database: Database) -> None:
    with database.transaction() as session:
        session.execute(insert(ores_model).values(oresm_name="wp10", oresm_version="1", oresm_is_current=0))

    assert names(database) == [("wp10", "1")]


def test_rows_are_counted_by_version(two_versions: Database) -> None:
    counts = count_versions(two_versions, doomed_versions(two_versions, current_too=True))

    assert {(model.name, model.version): count for model, count in counts.items()} == {
        ("damaging", OLD): 25,
        ("damaging", NEW): 7,
    }


def test_a_version_without_rows_counts_nothing(database: Database) -> None:
    id_of(database, "damaging", OLD)

    assert list(count_versions(database, doomed_versions(database, current_too=True)).values()) == [0]


def outdated(database: Database) -> list[tuple[str, str]]:
    return [(model.name, model.version) for model in outdated_versions(database)]


def test_a_version_before_the_current_one_is_outdated(two_versions: Database) -> None:
    assert outdated(two_versions) == [("damaging", OLD)]


def test_a_version_that_a_deployment_has_just_brought_is_not_outdated(two_versions: Database) -> None:
    classify(two_versions, [33], version="0.7.0")

    assert outdated(two_versions) == [("damaging", OLD)]


def test_an_older_version_that_is_coming_back_is_not_outdated(two_versions: Database) -> None:
    with two_versions.transaction() as session:
        apply(session, "damaging", Finding.WAITING, OLD, None)

    assert outdated(two_versions) == []


def test_of_a_model_without_any_current_version_all_are_outdated(database: Database) -> None:
    with database.transaction() as session:
        session.execute(insert(ores_model).values(oresm_name="wp10", oresm_version="1", oresm_is_current=0))

    assert outdated(database) == [("wp10", "1")]


@contextmanager
def in_the_middle_of_deletes(database: Database, happening: Callable[[], None]) -> Iterator[None]:
    """Let *happening* happen after each DELETE, before its transaction ends."""

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "DELETE" in statement:
            happening()

    event.listen(database.engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(database.engine, "after_cursor_execute", after)


def test_rows_are_inserted_while_a_step_of_a_purge_is_under_way(mariadb: Database) -> None:
    # Rows of both versions lie side by side, as those of a deployment do.
    classify(mariadb, range(1, 101, 2))
    classify(mariadb, range(2, 101, 2), version=NEW)
    promote(mariadb, "damaging", NEW)
    new = iter(range(101, 1000))

    def insert_some() -> None:
        classify(mariadb, [next(new)])
        classify(mariadb, [next(new)], version=NEW)

    with in_the_middle_of_deletes(mariadb, insert_some):
        steps = purge_versions(mariadb, doomed_versions(mariadb), 20)
        assert [next(steps).rows for _ in range(2)] == [20, 20]

    assert {101, 102, 103, 104} <= classified_revisions(mariadb)
