"""The views that admins ask: what they show, in which type, and what they never show."""

from typing import Any

import pytest
from sqlalchemy import insert

from outbox import EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.schema import recentchanges
from tests.builders import an_edit
from tests.migrations.conftest import Account
from tests.migrations.real_wiki import make_real_wiki
from tests.migrations.schemas import query, run
from tests.migrations.scored_wiki import add_model, add_scores, ask, set_change
from tests.worker.lines import save
from worker.domain.models import DEFAULT_MODELS
from worker.upkeep.migrating import migrate

CHANGE = "SELECT * FROM outpatrol_recent_change"
PROBABILITIES = sorted(
    name for name, model in DEFAULT_MODELS.items() if model.classes and (model.is_binary or model.is_aggregated)
)
#: Exact as a decimal and as a float, so that it is equal to what either server returns.
EIGHTH = 0.125


def the_change(database: Database) -> dict[str, Any]:
    """The one row of the only change; in `outpatrol_recent_change` there must be no other."""
    (row,) = ask(database, CHANGE)
    return row


def test_a_change_is_shown_with_what_the_wiki_knows_of_it(database: Database) -> None:
    edit = an_edit(
        revision=5, parent_revision=4, page=3, namespace=3, title="User talk:Zoé K", user="Bob", change=9,
        is_minor=True, patrol_status=PatrolStatus.PATROLLED, length=90, parent_length=100,
    )  # fmt: skip
    save(database, [edit])

    shown = the_change(database)

    assert {name: value for name, value in shown.items() if name not in {*DEFAULT_MODELS, "timestamp"}} == {
        "change_id": 9, "revision": 5, "parent_revision": 4, "page": 3, "namespace": 3, "title": "Zoé_K",
        "user": "Bob", "is_new": 0, "is_minor": 1, "is_bot": 0, "patrolled": 1, "length_change": -10,
    }  # fmt: skip


def test_a_change_has_a_column_for_every_model_that_is_stored_by_default(database: Database) -> None:
    save(database, [an_edit()])

    assert {name for name, model in DEFAULT_MODELS.items() if model.classes} == set(DEFAULT_MODELS) & set(
        the_change(database)
    )


@pytest.mark.parametrize("model", PROBABILITIES)
def test_a_column_shows_the_probability_of_its_own_model(database: Database, model: str) -> None:
    save(database, [an_edit(revision=1)])
    class_id = 0 if DEFAULT_MODELS[model].is_aggregated else 1
    add_scores(database, add_model(database, model), {1: 0.123}, class_id=class_id)

    shown = the_change(database)

    assert {name: float(shown[name]) for name in PROBABILITIES if shown[name] is not None} == {model: 0.123}


def test_a_class_that_is_not_the_true_one_is_not_shown(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    add_scores(database, add_model(database, "damaging"), {1: 0.9}, class_id=0)

    assert the_change(database)["damaging"] is None


def test_a_change_without_scores_is_shown_with_nulls(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    add_scores(database, add_model(database, "damaging"), {2: 0.9})

    assert {name: the_change(database)[name] for name in [*PROBABILITIES, "draftquality"]} == dict.fromkeys(
        [*PROBABILITIES, "draftquality"]
    )


def test_a_score_of_zero_is_no_missing_score(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    add_scores(database, add_model(database, "damaging"), {1: 0.0})

    assert the_change(database)["damaging"] == 0


def test_scores_of_versions_that_are_not_current_are_in_neither_view(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    add_scores(database, add_model(database, "damaging", "1", is_current=False), {1: 0.9})
    add_model(database, "damaging", "2")

    assert the_change(database)["damaging"] is None
    assert ask(database, "SELECT * FROM outpatrol_score") == []


def test_a_change_stays_one_row_where_two_versions_are_current(database: Database) -> None:
    """As a writer leaves it that died between Extension:ORES' two statements."""
    save(database, [an_edit(revision=1)])
    for version, probability in (("1", 0.1), ("2", 0.2)):
        add_scores(database, add_model(database, "damaging", version), {1: probability})

    assert float(the_change(database)["damaging"]) == 0.2


def test_a_change_stays_one_row_where_the_revision_has_other_changes(database: Database) -> None:
    """A membership of a category, and the log of a move, name the same revision."""
    save(database, [an_edit(revision=1, title="Foo")])
    add_scores(database, add_model(database, "damaging"), {1: 0.9})
    with database.transaction() as session:
        for source, kind in (("mw.categorize", 6), ("mw.log", 3), ("mw.external", 5)):
            other = {"rc_source": source, "rc_type": kind, "rc_this_oldid": 1, "rc_actor": 1}
            session.execute(insert(recentchanges).values(rc_timestamp="20260101000000", rc_title="Other", **other))

    assert the_change(database)["title"] == "Foo"


def test_a_change_stays_one_row_with_all_classes_of_all_models(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    for name in DEFAULT_MODELS:
        model = add_model(database, name)
        for class_id in range(6):
            add_scores(database, model, {1: 0.1}, class_id=class_id, is_predicted=True)

    assert the_change(database)["revision"] == 1


@pytest.mark.parametrize("predicted", range(4))
def test_draftquality_shows_the_number_of_the_class_that_is_predicted(database: Database, predicted: int) -> None:
    save(database, [an_edit(revision=1, source=EditSource.NEW)])
    model = add_model(database, "draftquality")
    for class_id in range(4):
        add_scores(database, model, {1: 0.2}, class_id=class_id, is_predicted=class_id == predicted)

    assert the_change(database)["draftquality"] == predicted


def test_draftquality_is_null_where_nothing_is_predicted(database: Database) -> None:
    save(database, [an_edit(revision=1, source=EditSource.NEW)])
    add_scores(database, add_model(database, "draftquality"), {1: 0.9}, class_id=3)

    assert the_change(database)["draftquality"] is None


@pytest.mark.parametrize(("deleted", "shown"), [(0, "Bob"), (1, "Bob"), (2, "Bob"), (4, None), (7, None), (15, None)])
def test_a_user_who_is_hidden_is_null(database: Database, deleted: int, shown: str | None) -> None:
    save(database, [an_edit(revision=1, user="Bob")])
    set_change(database, 1, rc_deleted=deleted)

    assert the_change(database)["user"] == shown


def test_a_change_whose_actor_is_gone_is_shown_without_a_user(database: Database) -> None:
    save(database, [an_edit(revision=1)])
    set_change(database, 1, rc_actor=999)

    assert the_change(database)["user"] is None


@pytest.mark.parametrize(("source", "shown"), [(EditSource.EDIT, 0), (EditSource.NEW, 1)])
def test_a_new_page_is_told_from_an_edit(database: Database, source: EditSource, shown: int) -> None:
    save(database, [an_edit(source=source)])

    assert the_change(database)["is_new"] == shown


def test_a_change_of_unknown_length_has_none(database: Database) -> None:
    save(database, [an_edit(length=90)])

    assert the_change(database)["length_change"] is None


def test_users_whose_names_differ_in_an_accent_or_in_case_stay_apart(database: Database) -> None:
    save(database, [an_edit(revision=n, user=user) for n, user in enumerate(("Zoe", "Zoé", "ZOE"), 1)])

    assert ask(database, "SELECT COUNT(*) AS edits FROM outpatrol_recent_change GROUP BY user") == [{"edits": 1}] * 3
    assert ask(database, "SELECT revision FROM outpatrol_recent_change WHERE user = 'Zoé'") == [{"revision": 2}]


def test_every_row_of_a_current_version_is_a_score(database: Database) -> None:
    damaging, draft = add_model(database, "damaging", "0.5.1"), add_model(database, "draftquality", "0.2.1")
    add_scores(database, damaging, {7: EIGHTH})
    add_scores(database, draft, {7: EIGHTH}, class_id=0)
    add_scores(database, draft, {7: EIGHTH}, class_id=3, is_predicted=True)

    found = ask(database, "SELECT * FROM outpatrol_score ORDER BY model, class")

    assert [(*row.values(),) for row in found] == [
        (7, "damaging", "0.5.1", 1, EIGHTH, 0),
        (7, "draftquality", "0.2.1", 0, EIGHTH, 0),
        (7, "draftquality", "0.2.1", 3, EIGHTH, 1),
    ]


def test_a_real_wikis_changes_are_shown_as_text(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    migrate(empty_database)

    (change,) = query(empty_database, CHANGE)
    (score,) = query(empty_database, "SELECT * FROM outpatrol_score")

    assert (change["title"], change["user"], float(change["damaging"])) == ("Café_Noir", "Zoé", 0.876)
    assert (score["model"], score["version"], score["revision"]) == ("damaging", "0.5.1", 745065890)


def test_no_view_shows_an_address_that_the_wiki_recorded(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    migrate(empty_database)

    assert "192.0.2.1" not in str(query(empty_database, CHANGE))


def test_an_admin_who_may_read_the_views_needs_no_right_to_the_tables(
    account: Account, empty_mariadb: Database
) -> None:
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    account("SELECT", on="outpatrol_score")

    admin = account("SELECT", on="outpatrol_recent_change")

    assert len(query(admin, CHANGE)) == 1
    assert len(query(admin, "SELECT * FROM outpatrol_score")) == 1


def test_a_table_of_the_wiki_that_is_altered_later_leaves_the_views_as_they_are(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    migrate(empty_database)
    before = query(empty_database, CHANGE)

    run(empty_database, "ALTER TABLE recentchanges ADD COLUMN rc_surplus INTEGER")

    assert query(empty_database, CHANGE) == before
