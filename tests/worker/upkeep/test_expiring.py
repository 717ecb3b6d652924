"""Old changes leave the recentchanges of an emulated wiki with their rows; that of a MediaWiki is not touched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert

from outbox.database import Database
from outbox.mediawiki.reading import revisions_in_recent_changes
from outbox.mediawiki.schema import recentchanges, revision
from outbox.ownership import made_here
from tests.builders import an_edit
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, count, save
from tests.worker.upkeep.looking import classify, rows_of_versions
from worker.config.settings_sections import UpkeepSettings
from worker.config.wiki import Wiki
from worker.upkeep.purging import expire_recent_changes

QUALITY = "articlequality"
OLD = range(1, 26)
YOUNG = range(26, 31)


UPKEEP = UpkeepSettings(recent_changes_days=90, purge_batch_size=10)


@pytest.fixture
def wiki(services_for: BuildServices, database: Database) -> Wiki:
    """A wiki with 25 changes of 91 days ago and 5 of 89 days ago, each with a row of damaging."""
    now = datetime.now(UTC)
    for days, revisions in ((91, OLD), (89, YOUNG)):
        at = now - timedelta(days=days)
        save(database, [an_edit(revision=number, timestamp=at) for number in revisions])
    classify(database, [*OLD, *YOUNG])
    return services_for(models=["damaging", QUALITY]).wiki("enwiki")


def left(database: Database) -> set[int]:
    with database.reading() as connection:
        return revisions_in_recent_changes(connection, [*OLD, *YOUNG])


def test_changes_that_are_too_old_leave_with_their_rows(wiki: Wiki, database: Database) -> None:
    list(expire_recent_changes(wiki, UPKEEP))

    assert left(database) == set(YOUNG)
    assert classified_revisions(database) == set(YOUNG)


def test_the_revisions_themselves_stay(wiki: Wiki, database: Database) -> None:
    list(expire_recent_changes(wiki, UPKEEP))

    assert count(database, revision) == 30


def test_each_transaction_takes_a_batch_and_tells_of_it(wiki: Wiki) -> None:
    assert list(expire_recent_changes(wiki, UPKEEP)) == [(10, 10), (10, 10), (5, 5)]


def test_what_is_left_half_way_is_found_the_next_time(wiki: Wiki, database: Database) -> None:
    next(expire_recent_changes(wiki, UPKEEP))
    assert len(left(database)) == 20

    list(expire_recent_changes(wiki, UPKEEP))

    assert left(database) == set(YOUNG)


def test_a_change_and_its_rows_go_together(wiki: Wiki, database: Database) -> None:
    for _ in expire_recent_changes(wiki, UPKEEP):
        assert classified_revisions(database) == left(database)


def test_nothing_is_too_old_twice(wiki: Wiki) -> None:
    list(expire_recent_changes(wiki, UPKEEP))

    assert list(expire_recent_changes(wiki, UPKEEP)) == []


def test_rows_that_are_kept_for_ever_stay(wiki: Wiki, database: Database) -> None:
    classify(database, [*OLD, *YOUNG], QUALITY)

    list(expire_recent_changes(wiki, UPKEEP))

    assert rows_of_versions(database) == {("damaging", "0.5.1"): 5, (QUALITY, "0.5.1"): 30}


def test_changes_that_are_no_edits_go_too_and_end_nothing_early(wiki: Wiki, database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            insert(recentchanges),
            [
                {"rc_timestamp": "20200101000000", "rc_actor": 1, "rc_source": "mw.log", "rc_this_oldid": 0}
                for _ in range(15)
            ],
        )

    assert [changes for changes, _ in expire_recent_changes(wiki, UPKEEP)] == [10, 10, 10, 10]
    assert count(database, recentchanges) == 5


@pytest.fixture
def real_wiki(wiki: Wiki, database: Database) -> Iterator[Wiki]:
    """A wiki whose recentchanges was there before us."""
    ours = made_here.c.name == "recentchanges"
    with database.transaction() as session:
        session.execute(delete(made_here).where(ours))
    yield wiki
    with database.transaction() as session:
        session.execute(insert(made_here).values(name="recentchanges"))


def test_the_recentchanges_of_a_mediawiki_is_left_be(real_wiki: Wiki, database: Database) -> None:
    assert list(expire_recent_changes(real_wiki, UPKEEP)) == []
    assert left(database) == {*OLD, *YOUNG}
    assert classified_revisions(database) == {*OLD, *YOUNG}
