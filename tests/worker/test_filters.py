"""What an admin asks the tables: which changes are found, and what is told of each."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from outbox import EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.schema import actor, recentchanges
from tests.builders import an_edit, edits
from tests.worker.classified import ANY_TIME, classify, columns_of
from tests.worker.lines import save, statements
from worker.domain.thresholds import DAMAGING, GOODFAITH, REVERT_RISK, Band
from worker.scores.filters import Change, Query, find_changes
from worker.scores.model_versions import make_current

LIKELY_BAD = {DAMAGING: [Band(0.629, 1)]}


def a_query(**fields: Any) -> Query:
    defaults: dict[str, Any] = {"since": ANY_TIME, "bands": {}, "above": {}, "not_above": {}}
    return Query(**(defaults | fields))


def changes(database: Database, *models: str, **query: Any) -> list[Change]:
    columns = columns_of(database, *(models or (DAMAGING, GOODFAITH, REVERT_RISK)))
    with database.reading() as connection:
        return find_changes(connection, a_query(**query), columns)


def found(database: Database, **query: Any) -> list[int]:
    return [each.revision for each in changes(database, **query)]


@pytest.mark.parametrize(
    ("band", "revisions"),
    [
        (Band(0.629, 1), [4, 3, 2]),
        (Band(0, 0.629), [2, 1]),
        (Band(0.629, 0.63), [3, 2]),
        (Band(0.629, 0.629), [2]),
        (Band(0.6285, 0.6289), []),
    ],
)
def test_a_band_holds_both_its_ends(database: Database, band: Band, revisions: list[int]) -> None:
    save(database, edits(4))
    classify(database, {1: 0.628, 2: 0.629, 3: 0.630, 4: 0.999})

    assert found(database, bands={DAMAGING: [band]}) == revisions


def test_a_band_up_to_one_holds_the_highest_probability_and_one_from_zero_the_lowest(database: Database) -> None:
    save(database, edits(2))
    classify(database, {1: 0.0, 2: 0.999})

    assert found(database, bands={DAMAGING: [Band(0, 0.1), Band(0.9, 1)]}) == [2, 1]


def test_hiding_and_reviewing_ask_for_more_than_the_threshold(database: Database) -> None:
    save(database, edits(4))
    classify(database, {1: 0.628, 2: 0.629, 3: 0.63})

    assert found(database, above={DAMAGING: 0.629}) == [3]


def test_the_opposite_of_reviewing_finds_what_is_not_above_or_has_no_score(database: Database) -> None:
    save(database, edits(4))
    classify(database, {1: 0.628, 2: 0.629, 3: 0.63})

    assert found(database, not_above={DAMAGING: 0.629}) == [4, 2, 1]


def test_one_of_several_bands_is_enough(database: Database) -> None:
    save(database, edits(3))
    classify(database, {1: 0.1, 2: 0.5, 3: 0.9})

    assert found(database, bands={DAMAGING: [Band(0, 0.2), Band(0.8, 1)]}) == [3, 1]


def test_the_bands_of_two_models_hold_together(database: Database) -> None:
    save(database, edits(3))
    classify(database, {1: 0.9, 2: 0.9, 3: 0.1})
    classify(database, {1: 0.1, 2: 0.9, 3: 0.1}, model=GOODFAITH)

    assert found(database, bands=LIKELY_BAD | {GOODFAITH: [Band(0, 0.647)]}) == [1]


def test_a_band_a_threshold_and_its_opposite_of_one_model_hold_together(database: Database) -> None:
    save(database, edits(3))
    classify(database, {1: 0.7, 2: 0.8, 3: 0.9})

    assert found(database, bands=LIKELY_BAD, above={DAMAGING: 0.7}, not_above={DAMAGING: 0.8}) == [2]


@pytest.mark.parametrize("bands", [{}, {DAMAGING: []}])
def test_without_bands_there_is_no_condition(database: Database, bands: dict[str, list[Band]]) -> None:
    save(database, edits(2))
    classify(database, {1: 0.9})

    assert found(database, bands=bands) == [2, 1]


def test_revert_risk_is_for_articles_only(database: Database) -> None:
    save(database, [an_edit(revision=revision, namespace=revision - 1) for revision in (1, 2, 3)])
    classify(database, {1: 0.99, 2: 0.99, 3: 0.99}, model=REVERT_RISK)

    assert found(database, bands={REVERT_RISK: [Band(0.95, 1)]}) == [1]


def test_other_models_are_for_every_namespace(database: Database) -> None:
    save(database, [an_edit(revision=revision, namespace=revision - 1) for revision in (1, 2, 3)])
    classify(database, {1: 0.99, 2: 0.99, 3: 0.99})

    assert found(database, bands=LIKELY_BAD) == [3, 2, 1]


def test_unpatrolled_leaves_out_what_was_patrolled_by_hand_or_by_itself(database: Database) -> None:
    save(database, [an_edit(revision=1 + status, patrol_status=status) for status in PatrolStatus])

    assert found(database, unpatrolled=True) == [1]
    assert found(database) == [3, 2, 1]


def test_bots_can_be_hidden(database: Database) -> None:
    save(database, [an_edit(revision=1, is_bot=True), an_edit(revision=2)])

    assert found(database, hide_bots=True) == [2]
    assert found(database) == [2, 1]


@pytest.mark.parametrize(("namespaces", "revisions"), [([0], [1]), ([1, 0], [2, 1]), ([-1], []), ([], [3, 2, 1])])
def test_namespaces_select(database: Database, namespaces: list[int], revisions: list[int]) -> None:
    save(database, [an_edit(revision=revision, namespace=revision - 1) for revision in (1, 2, 3)])

    assert found(database, namespaces=namespaces) == revisions


@pytest.mark.parametrize(("since", "revisions"), [("20260101120002", [3, 2]), ("20260101120003", [3])])
def test_the_oldest_moment_is_asked_for_too(database: Database, since: str, revisions: list[int]) -> None:
    save(database, edits(3))

    assert found(database, since=since) == revisions


def test_the_newest_come_first_and_no_more_than_asked_for(database: Database) -> None:
    save(database, [an_edit(revision=revision) for revision in (2, 5, 1, 4, 3)])
    classify(database, dict.fromkeys(range(1, 6), 0.9))

    assert found(database, bands=LIKELY_BAD, limit=2) == [5, 4]


def test_only_scores_of_the_current_version_count(database: Database) -> None:
    save(database, edits(2))
    classify(database, {1: 0.9}, version="1")
    classify(database, {2: 0.9}, version="2")

    assert found(database, bands=LIKELY_BAD) == [1]

    with database.transaction() as session:
        make_current(session, DAMAGING, "2")

    assert found(database, bands=LIKELY_BAD) == [2]
    assert [each.probabilities for each in changes(database)] == [{DAMAGING: 0.9}, {}]


def test_only_the_true_class_counts(database: Database) -> None:
    save(database, edits(1))
    classify(database, {1: 0.9}, class_id=0)

    assert found(database, bands=LIKELY_BAD) == []


@pytest.mark.parametrize(("kind", "source"), [(3, "mw.log"), (6, "mw.categorize"), (5, "mw.external")])
def test_a_change_that_is_no_edit_is_not_shown(database: Database, kind: int, source: str) -> None:
    save(database, edits(1))
    classify(database, {1: 0.9})
    with database.transaction() as session:
        other = {"rc_type": kind, "rc_source": source, "rc_this_oldid": 1, "rc_timestamp": "20260101120009"}
        session.execute(insert(recentchanges).values(rc_actor=1, rc_title="Page_1", **other))

    assert len(changes(database)) == 1
    assert found(database, bands=LIKELY_BAD) == [1]


def test_a_change_says_what_who_when_and_how_likely(database: Database) -> None:
    fields: dict[str, Any] = {"namespace": 3, "title": "Discussion utilisateur:Zoé K", "user": "Bob"}
    sizes: dict[str, Any] = {"length": 90, "parent_length": 100, "is_minor": True, "change": 77, "parent_revision": 5}
    save(database, [an_edit(revision=9, **fields, **sizes)])
    classify(database, {9: 0.876})
    classify(database, {9: 0.5}, model=GOODFAITH)

    assert changes(database) == [
        Change(
            change=77,
            revision=9,
            parent_revision=5,
            namespace=3,
            title="User talk:Zoé K",
            user="Bob",
            timestamp="20260101120009",
            is_new=False,
            is_bot=False,
            is_minor=True,
            patrolled=0,
            length_change=-10,
            probabilities={DAMAGING: 0.876, GOODFAITH: 0.5},
        )
    ]


def test_a_new_page_by_a_bot_of_unknown_size_is_told_as_such(database: Database) -> None:
    save(database, [an_edit(source=EditSource.NEW, is_bot=True, patrol_status=PatrolStatus.AUTOPATROLLED, length=9)])

    (change,) = changes(database)

    assert (change.is_new, change.is_bot, change.patrolled, change.length_change) == (True, True, 2, None)


def test_only_the_probabilities_that_are_wanted_are_shown(database: Database) -> None:
    save(database, edits(2))
    classify(database, {1: 0.2, 2: 0.9})
    classify(database, {1: 0.8}, model=GOODFAITH)

    assert [each.probabilities for each in changes(database, GOODFAITH)] == [{}, {GOODFAITH: 0.8}]


@pytest.mark.parametrize(("deleted", "user"), [(0, "Alice"), (1, "Alice"), (2, "Alice"), (4, None), (15, None)])
def test_a_hidden_user_is_not_told(database: Database, deleted: int, user: str | None) -> None:
    save(database, edits(1))
    with database.transaction() as session:
        session.execute(update(recentchanges).values(rc_deleted=deleted))

    assert [each.user for each in changes(database)] == [user]


def test_a_change_whose_actor_is_gone_is_shown_without_one(database: Database) -> None:
    save(database, edits(1))
    with database.transaction() as session:
        session.execute(actor.delete())

    assert [each.user for each in changes(database)] == [None]


def test_whatever_is_asked_for_is_one_statement(database: Database) -> None:
    save(database, edits(3))
    classify(database, {1: 0.9, 2: 0.9})
    columns = columns_of(database, DAMAGING)

    with statements(database) as seen, database.reading() as connection:
        find_changes(connection, a_query(bands=LIKELY_BAD, unpatrolled=True, hide_bots=True), columns)

    assert len(seen) == 1
