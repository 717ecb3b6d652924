"""Scores that are missing: which edits are promised once more, in which order, and how many."""

from collections.abc import Sequence

import pytest
from sqlalchemy import delete, select

from outbox import EDITS, Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit, edits
from tests.outbox.lanes import statements
from tests.worker.conftest import BuildServices
from tests.worker.lines import count
from tests.worker.upkeep.looking import NEW, classify
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.scores.model_versions import make_current
from worker.scores.own_tables import BACKFILL
from worker.upkeep.populating import populate

TOPICS = "articletopic"


@pytest.fixture
def wiki(services: Services) -> Wiki:
    return services.wiki("enwiki")


def save_unpromised(database: Database, edits: Sequence[Edit]) -> None:
    """Save *edits* as before Outpatrol was there: nobody promised to score them."""
    with database.transaction() as session:
        for edit in edits:
            save_edit(session, edit)
        session.execute(delete(EDITS.messages))


def promised(database: Database) -> list[int]:
    """The revisions in the lane of the backfill, in the order in which they will be claimed."""
    messages = BACKFILL.messages
    with database.reading() as connection:
        payloads = connection.execute(select(messages.c.payload).order_by(messages.c.id)).scalars()
        return [Edit.decode(payload).revision for payload in payloads]


def test_edits_without_scores_are_promised_the_newest_first(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(5))

    list(populate(wiki))

    assert promised(database) == [5, 4, 3, 2, 1]


def test_an_edit_comes_back_as_it_was_saved(wiki: Wiki, database: Database) -> None:
    saved = an_edit(
        revision=7, change=70, namespace=3, title="User talk:Zoé K", is_minor=True, length=120, parent_length=100
    )
    save_unpromised(database, [saved])

    list(populate(wiki))

    with database.reading() as connection:
        (payload,) = connection.execute(select(BACKFILL.messages.c.payload)).scalars()
    assert Edit.decode(payload) == saved.model_copy(update={"is_namespace_in_english": True})


def test_an_edit_that_has_all_its_rows_is_not_promised(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(3))
    for model in ("damaging", "goodfaith"):
        classify(database, [2], model)

    list(populate(wiki))

    assert promised(database) == [3, 1]


def test_a_row_of_one_model_does_not_stand_for_those_of_the_others(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(1))
    classify(database, [1], "damaging")

    list(populate(wiki))

    assert promised(database) == [1]


def test_a_row_of_an_old_version_does_not_stand_for_one_of_the_current(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(2))
    for model in ("damaging", "goodfaith"):
        classify(database, [1, 2], model)
    classify(database, [2], version=NEW)
    with database.transaction() as session:
        make_current(session, "damaging", NEW)

    list(populate(wiki))

    assert promised(database) == [1]


def test_edits_that_nobody_must_look_at_are_left_out(wiki: Wiki, database: Database) -> None:
    save_unpromised(
        database,
        [
            an_edit(revision=1, patrol_status=PatrolStatus.AUTOPATROLLED),
            an_edit(revision=2, is_bot=True),
            an_edit(revision=3, patrol_status=PatrolStatus.PATROLLED),
        ],
    )

    list(populate(wiki))

    assert promised(database) == [3]


def test_what_a_model_does_not_score_does_not_lack_its_row(services_for: BuildServices, database: Database) -> None:
    save_unpromised(
        database,
        [an_edit(revision=1), an_edit(revision=2, source=EditSource.NEW, parent_revision=0)],
    )

    list(populate(services_for(models=["draftquality"]).wiki("enwiki")))

    assert promised(database) == [2]


def test_a_model_that_leaves_no_rows_is_no_reason(services_for: BuildServices, database: Database) -> None:
    save_unpromised(database, edits(2))
    classify(database, [1, 2])

    list(populate(services_for(models=["damaging", TOPICS]).wiki("enwiki")))

    assert promised(database) == []


@pytest.mark.parametrize(("number", "batch_size"), [(3, 100), (3, 2), (3, 1), (4, 2)])
def test_no_more_are_promised_than_asked_for_and_no_fewer(
    wiki: Wiki, database: Database, number: int, batch_size: int
) -> None:
    save_unpromised(database, edits(10))

    steps = list(populate(wiki, number=number, batch_size=batch_size))

    assert sum(step.promised for step in steps) == number
    assert promised(database) == list(range(10, 10 - number, -1))


def test_edits_that_lack_nothing_do_not_count_towards_the_number(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(10))
    for model in ("damaging", "goodfaith"):
        classify(database, [10, 9, 7, 6], model)

    list(populate(wiki, number=3, batch_size=2))

    assert promised(database) == [8, 5, 4]


def test_a_number_of_none_promises_nothing(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(3))

    assert list(populate(wiki, number=0)) == []
    assert promised(database) == []


@pytest.mark.parametrize("batch_size", [1, 3, 10, 11])
def test_however_large_a_step_all_are_looked_at_once(wiki: Wiki, database: Database, batch_size: int) -> None:
    save_unpromised(database, edits(10))

    steps = list(populate(wiki, batch_size=batch_size))

    assert sum(step.looked_at for step in steps) == 10
    assert max(step.looked_at for step in steps) <= batch_size
    assert promised(database) == list(range(10, 0, -1))


def test_what_was_promised_before_it_was_left_stays_promised(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(10))

    next(populate(wiki, batch_size=4))

    assert promised(database) == [10, 9, 8, 7]


def test_a_step_is_five_statements_however_many_edits(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(200))

    with statements(wiki.database.engine) as seen:
        list(populate(wiki, batch_size=1000))

    assert [each.text.split()[0] for each in seen] == ["SELECT", "SELECT", "SELECT", "SELECT", "INSERT"]


def test_a_dry_run_counts_and_promises_nothing(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(5))

    assert sum(step.promised for step in populate(wiki, dry_run=True)) == 5
    assert promised(database) == []


def test_a_wiki_without_edits_has_nothing_to_promise(wiki: Wiki) -> None:
    assert sum(step.promised for step in populate(wiki)) == 0


def test_the_lane_of_fresh_edits_is_left_alone(wiki: Wiki, database: Database) -> None:
    save_unpromised(database, edits(5))

    list(populate(wiki))

    assert count(database, EDITS.messages) == 0


def test_a_model_whose_parents_are_cleaned_misses_nothing_of_a_revision_that_is_not_the_newest(
    services_for: BuildServices, database: Database
) -> None:
    save_unpromised(database, [an_edit(revision=revision, page=1, title="One page") for revision in (1, 2, 3)])

    list(populate(services_for(models=["articlequality"]).wiki("enwiki")))

    assert promised(database) == [3]
