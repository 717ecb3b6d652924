"""Rows of revisions that have left recentchanges are removed, but those that are kept for ever."""

from collections.abc import Collection
from typing import Any

import pytest
from sqlalchemy import delete

from outbox.database import Database
from outbox.mediawiki.schema import recentchanges, revision
from tests.builders import edits
from tests.outbox.lanes import statements
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, save
from tests.worker.upkeep.looking import NEW, classify, rows_of_versions
from worker.config.wiki import Wiki
from worker.upkeep.purging import LeftBehind, purge_left_behind

QUALITY = "articlequality"


@pytest.fixture
def wiki(services_for: BuildServices, database: Database) -> Wiki:
    """A wiki with the revisions 1 to 20, each with a row of damaging; article quality is kept for ever."""
    save(database, edits(20))
    classify(database, range(1, 21))
    return services_for(models=["damaging", QUALITY]).wiki("enwiki")


def leave(database: Database, revisions: Collection[int], *, deleted: bool = False) -> None:
    """Let *revisions* leave recentchanges, and with *deleted* the wiki, too."""
    with database.transaction() as session:
        session.execute(delete(recentchanges).where(recentchanges.c.rc_this_oldid.in_(revisions)))
        if deleted:
            session.execute(delete(revision).where(revision.c.rev_id.in_(revisions)))


def purge(wiki: Wiki, *names: str, **how: Any) -> list[LeftBehind]:
    return list(purge_left_behind(wiki, names, **({"batch_size": 8} | how)))


def removed(steps: Collection[LeftBehind]) -> dict[str, int]:
    """How many rows of each model went."""
    counts: dict[str, int] = {}
    for step in steps:
        for each in step.removed:
            counts[each.model.name] = counts.get(each.model.name, 0) + each.rows
    return counts


def test_rows_go_with_the_changes_they_were_of(wiki: Wiki, database: Database) -> None:
    leave(database, range(1, 11))

    assert removed(purge(wiki)) == {"damaging": 10}
    assert classified_revisions(database) == set(range(11, 21))


def test_while_all_changes_are_there_nothing_goes(wiki: Wiki, database: Database) -> None:
    assert removed(purge(wiki)) == {}
    assert classified_revisions(database) == set(range(1, 21))


def test_a_page_that_was_deleted_leaves_no_rows_behind(wiki: Wiki, database: Database) -> None:
    leave(database, [7], deleted=True)
    purge(wiki)

    assert classified_revisions(database) == set(range(1, 21)) - {7}


def test_rows_that_are_kept_for_ever_outlive_their_changes(wiki: Wiki, database: Database) -> None:
    classify(database, range(1, 21), QUALITY)
    leave(database, range(1, 11))

    assert removed(purge(wiki)) == {"damaging": 10}
    assert rows_of_versions(database)[QUALITY, "0.5.1"] == 20


def test_rows_that_are_kept_for_ever_do_not_outlive_their_revisions(wiki: Wiki, database: Database) -> None:
    classify(database, range(1, 21), QUALITY)
    leave(database, range(1, 11))
    leave(database, [3], deleted=True)

    assert removed(purge(wiki)) == {"damaging": 10, QUALITY: 1}


def test_rows_of_a_model_that_the_wiki_uses_no_more_are_not_kept_for_ever(
    services_for: BuildServices, wiki: Wiki, database: Database
) -> None:
    classify(database, range(1, 21), QUALITY)
    leave(database, range(1, 11))

    assert removed(purge(services_for(models=["damaging"]).wiki("enwiki"))) == {"damaging": 10, QUALITY: 10}


def test_rows_of_every_version_go(wiki: Wiki, database: Database) -> None:
    classify(database, range(1, 21), version=NEW)
    leave(database, range(1, 11))

    assert removed(purge(wiki)) == {"damaging": 20}


def test_only_rows_of_the_models_that_were_named_go(wiki: Wiki, database: Database) -> None:
    classify(database, range(1, 21), "goodfaith")
    leave(database, range(1, 11))

    assert removed(purge(wiki, "goodfaith")) == {"goodfaith": 10}


def test_rows_whose_change_may_be_about_to_come_are_left_be(wiki: Wiki, database: Database) -> None:
    classify(database, [21, 22])
    leave(database, [5])

    assert removed(purge(wiki)) == {"damaging": 1}
    assert {21, 22} <= classified_revisions(database)


def test_an_empty_recentchanges_dooms_nothing(wiki: Wiki, database: Database) -> None:
    leave(database, range(1, 21))

    assert removed(purge(wiki)) == {}


def test_each_step_looks_at_a_batch(wiki: Wiki, database: Database) -> None:
    leave(database, range(1, 11))

    with statements(wiki.database.engine) as seen:
        steps = list(purge_left_behind(wiki, batch_size=8))

    assert [step.looked_at for step in steps] == [8, 8, 4]
    assert [len(each.parameters) for each in seen if "DELETE" in each.text] == [8, 2]


def test_a_purge_goes_on_where_it_was_left(wiki: Wiki, database: Database) -> None:
    leave(database, range(1, 11))
    first = next(purge_left_behind(wiki, batch_size=4))
    leave(database, [20])

    steps = purge(wiki, after=first.last)

    assert sum(step.looked_at for step in steps) == 16
    assert removed([first, *steps]) == {"damaging": 10}


def test_rows_before_the_one_to_go_on_after_are_not_looked_at(wiki: Wiki, database: Database) -> None:
    last = purge(wiki, batch_size=10)[0].last
    leave(database, range(1, 20))
    purge(wiki, after=last)

    assert classified_revisions(database) == {*range(1, 11), 20}


def test_a_dry_run_counts_and_removes_nothing(wiki: Wiki, database: Database) -> None:
    leave(database, range(1, 11))

    assert removed(purge(wiki, dry_run=True)) == {"damaging": 10}
    assert classified_revisions(database) == set(range(1, 21))


def test_a_wiki_without_rows_needs_no_step(services_for: BuildServices) -> None:
    assert purge(services_for().wiki("enwiki")) == []
