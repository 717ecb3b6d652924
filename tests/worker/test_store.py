"""Rows are written once and never changed."""

from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import select

from outbox import EDITS, record_payloads
from outbox.database import Database
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.examples import examples
from tests.worker.conftest import BuildServices
from tests.worker.lines import drain, promised_events, save, statements
from worker.bootstrap import Services
from worker.scores.model_versions import all_models, model_ids
from worker.scores.rows import Classification
from worker.scores.store import forget, store, stored_pairs
from worker.scores.tables import ores_classification

SOME_ROWS = st.lists(
    st.builds(
        Classification,
        revision=st.integers(min_value=1, max_value=4) | st.just(2**32 - 1),
        model_id=st.sampled_from([1, 2, 32_767]),
        class_id=st.integers(min_value=0, max_value=3) | st.just(127),
        probability=st.integers(min_value=0, max_value=999).map(lambda thousandths: thousandths / 1000),
        is_predicted=st.booleans(),
    ),
    max_size=12,
)
#: The tables are emptied for each example by `written`.
on_a_database = settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def a_row(revision: int, probability: float, *, class_id: int = 1, model_id: int = 3) -> Classification:
    return Classification(revision, model_id, class_id, probability, is_predicted=probability > 0.5)


def write(database: Database, *rows: Classification) -> None:
    with database.transaction() as session:
        store(session, rows)


def stored(database: Database) -> list[tuple[Any, ...]]:
    row = ores_classification.c
    with database.reading() as connection:
        query = select(row.oresc_rev, row.oresc_model, row.oresc_class, row.oresc_probability, row.oresc_is_predicted)
        return sorted(tuple(each) for each in connection.execute(query))


def written(database: Database, *batches: list[Classification]) -> list[tuple[Any, ...]]:
    """What is in the table when *batches* have been stored, one after the other, in an empty one."""
    with database.transaction() as session:
        session.execute(ores_classification.delete())
    for batch in batches:
        write(database, *batch)
    return stored(database)


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


@on_a_database
@given(rows=SOME_ROWS)
def test_storing_twice_is_storing_once(database: Database, rows: list[Classification]) -> None:
    assert written(database, rows, rows) == written(database, rows)


@on_a_database
@given(rows=SOME_ROWS, chance=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_makes_no_difference(
    database: Database, rows: list[Classification], chance: Random
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)

    assert written(database, rows) == written(database, shuffled)


@on_a_database
@given(rows=SOME_ROWS)
def test_a_revision_has_one_row_for_each_model_and_class(database: Database, rows: list[Classification]) -> None:
    keys = [row[:3] for row in written(database, rows)]

    assert keys == sorted({(row.revision, row.model_id, row.class_id) for row in rows})


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


def test_scores_that_arrive_again_and_again_burn_no_model_id(services: Services, database: Database) -> None:
    save(database, edits(3))
    for _ in range(4):
        drain(services)
        with database.transaction() as session:
            record_payloads(session, EDITS, [edit.encode() for edit in edits(3)])
    with database.transaction() as session:
        before = [model.id for model in all_models(session)]
        added = model_ids(session, [("damaging", "0.6.0")], {})["damaging", "0.6.0"]

    assert len(before) == 2
    assert added == max(before) + 1


def test_a_score_that_differs_the_second_time_changes_no_row(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint, redis: Redis
) -> None:
    save(database, edits(1))
    drain(services_for())
    before = stored(database)
    with database.transaction() as session:
        record_payloads(session, EDITS, [edits(1)[0].encode()])
    endpoint.set(seed=1)
    redis.flushdb()

    drain(services_for())

    first, second = promised_events(database)
    assert first["scores"] != second["scores"]
    assert stored(database) == before


def test_it_is_told_which_models_have_rows_for_which_revisions(database: Database) -> None:
    write(database, a_row(7, 0.1), a_row(7, 0.2, class_id=2), a_row(8, 0.3, model_id=4), a_row(9, 0.4))

    with database.reading() as connection:
        assert stored_pairs(connection, [7, 8], [3, 4]) == {(7, 3), (8, 4)}


def test_rows_of_a_model_are_forgotten_in_all_its_versions(database: Database) -> None:
    with database.transaction() as session:
        ids = model_ids(session, [("wp10", "1"), ("wp10", "2"), ("damaging", "1")], {})
    old, new, other = ids["wp10", "1"], ids["wp10", "2"], ids["damaging", "1"]
    write(database, *(a_row(revision, 0.5, model_id=model) for revision in (7, 8) for model in (old, new, other)))

    with database.transaction() as session:
        forget(session, [7], ["wp10"])

    assert [row[:2] for row in stored(database)] == sorted([(7, other), (8, old), (8, new), (8, other)])
