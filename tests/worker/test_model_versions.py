"""Which version of a model is current on a wiki, and under which number its rows stand."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from outbox.database import Database
from tests.worker.lines import statements
from tests.worker.upkeep.looking import wait_for_a_lock
from worker.scores.model_versions import (
    KnownModels,
    current_models,
    leave_current_alone,
    make_current,
    model_ids,
)
from worker.scores.tables import ores_model

OLD, NEW = ("damaging", "0.5.1"), ("damaging", "0.6.0")


def see(
    database: Database, seen: Sequence[tuple[str, str]], known: KnownModels | None = None
) -> dict[tuple[str, str], int]:
    with database.transaction() as session:
        return model_ids(session, seen, {} if known is None else known)


def change_to(database: Database, version: tuple[str, str]) -> None:
    with database.transaction() as session:
        make_current(session, *version)


def current(database: Database) -> KnownModels:
    with database.transaction() as session:
        return current_models(session)


def all_versions(database: Database) -> list[tuple[str, str, int]]:
    model = ores_model.c
    with database.reading() as connection:
        query = select(model.oresm_name, model.oresm_version, model.oresm_is_current).order_by(model.oresm_id)
        return [tuple(row) for row in connection.execute(query)]


def test_a_wiki_that_never_saw_a_score_knows_no_version(database: Database) -> None:
    assert current(database) == {}


def test_the_first_version_that_is_seen_becomes_current(database: Database) -> None:
    ids = see(database, [OLD])

    assert current(database)["damaging"].version == "0.5.1"
    assert current(database)["damaging"].id == ids[OLD]


def test_a_version_that_is_there_is_not_added_again(database: Database) -> None:
    assert see(database, [OLD]) == see(database, [OLD])
    assert all_versions(database) == [("damaging", "0.5.1", 1)]


def test_a_version_that_is_known_costs_no_statement(database: Database) -> None:
    see(database, [OLD])
    known = current(database)

    with statements(database) as seen:
        see(database, [OLD] * 200, known)

    assert seen == []


def test_one_reply_makes_no_new_version_current(database: Database) -> None:
    see(database, [OLD])
    see(database, [NEW], current(database))

    assert all_versions(database) == [("damaging", "0.5.1", 1), ("damaging", "0.6.0", 0)]


def test_nor_do_all_the_replies_of_a_batch(database: Database) -> None:
    see(database, [OLD])
    see(database, [NEW] * 200)

    assert current(database)["damaging"].version == "0.5.1"


def test_a_version_is_made_current_and_all_others_are_not_any_more(database: Database) -> None:
    see(database, [OLD, NEW, ("damaging", "0.7.0")])
    change_to(database, NEW)

    assert all_versions(database) == [("damaging", "0.5.1", 0), ("damaging", "0.6.0", 1), ("damaging", "0.7.0", 0)]


def test_a_version_that_nobody_has_seen_yet_can_be_made_current(database: Database) -> None:
    see(database, [OLD])
    change_to(database, NEW)

    assert all_versions(database) == [("damaging", "0.5.1", 0), ("damaging", "0.6.0", 1)]


def test_a_new_version_of_one_model_leaves_the_others_alone(database: Database) -> None:
    see(database, [OLD, ("goodfaith", "0.5.1")])
    change_to(database, NEW)

    assert {name: model.version for name, model in current(database).items()} == {
        "damaging": "0.6.0",
        "goodfaith": "0.5.1",
    }


def test_a_version_that_comes_back_keeps_its_number(database: Database) -> None:
    first = see(database, [OLD])
    change_to(database, NEW)
    change_to(database, OLD)

    assert current(database)["damaging"].version == "0.5.1"
    assert current(database)["damaging"].id == first[OLD]


def test_looking_a_version_up_burns_no_number(database: Database) -> None:
    first = see(database, [OLD])[OLD]
    for _ in range(10):
        see(database, [OLD])

    assert see(database, [NEW])[NEW] == first + 1


def test_two_versions_in_one_batch_have_a_number_each(database: Database) -> None:
    ids = see(database, [OLD, NEW])

    assert ids[OLD] != ids[NEW]
    assert len(all_versions(database)) == 2


@pytest.mark.parametrize(
    ("seen", "winner"),
    [([OLD, OLD, NEW], "0.5.1"), ([OLD, NEW, NEW], "0.6.0"), ([NEW, OLD], "0.6.0")],
)
def test_the_version_of_most_scores_becomes_current(
    database: Database, seen: list[tuple[str, str]], winner: str
) -> None:
    see(database, seen)

    assert current(database)["damaging"].version == winner


def test_a_few_scores_of_the_old_version_do_not_bring_it_back(database: Database) -> None:
    see(database, [NEW])

    see(database, [NEW] * 5 + [OLD], current(database))

    assert current(database)["damaging"].version == "0.6.0"


def test_two_workers_that_see_a_version_first_at_one_moment_share_its_number(mariadb: Database) -> None:
    added: list[int] = []

    def get_ahead(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT") and not added:
            added.append(0)
            with mariadb.transaction() as other:
                new = insert(ores_model).values(oresm_name=OLD[0], oresm_version=OLD[1], oresm_is_current=0)
                added[0] = other.execute(new.returning(ores_model.c.oresm_id)).scalar_one()

    event.listen(mariadb.engine, "before_cursor_execute", get_ahead)

    assert see(mariadb, [OLD]) == {OLD: added[0]}


def test_two_workers_that_see_a_further_version_at_one_moment_burn_no_number(mariadb: Database) -> None:
    first = see(mariadb, [OLD])[OLD]
    with ThreadPoolExecutor() as pool:
        with mariadb.transaction() as session:
            found = model_ids(session, [NEW], {})
            other = pool.submit(see, mariadb, [NEW])
            wait_for_a_lock(mariadb)
        assert other.result() == found

    assert see(mariadb, [("damaging", "0.7.0")]) == {("damaging", "0.7.0"): first + 2}


def test_a_second_current_version_that_others_left_is_current_no_more(database: Database) -> None:
    see(database, [OLD])
    with database.transaction() as session:
        session.execute(insert(ores_model).values(oresm_name="damaging", oresm_version="0.4.0", oresm_is_current=1))
        leave_current_alone(session, *OLD)

    assert all_versions(database) == [("damaging", "0.5.1", 1), ("damaging", "0.4.0", 0)]
