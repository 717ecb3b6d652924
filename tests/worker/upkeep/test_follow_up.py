"""What follows once another version is current: old rows are purged, and on request edits are scored again."""

import pytest
from sqlalchemy import delete

from outbox import EDITS
from outbox.database import Database
from outbox.mediawiki.saving import save_edit
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.conftest import BuildServices
from tests.worker.lines import RecordingBell, count, status
from tests.worker.upkeep.looking import NEW, classify, let_settle, look
from worker.bootstrap import Services
from worker.scores.own_tables import BACKFILL
from worker.upkeep.versions import follow_up

Rings = list[tuple[str, ...]]


@pytest.fixture
def past(database: Database) -> Database:
    """Four edits that have their rows."""
    with database.transaction() as session:
        for edit in edits(4):
            save_edit(session, edit)
        session.execute(delete(EDITS.messages))
    for model in ("damaging", "goodfaith"):
        classify(database, range(1, 5), model)
    return database


def look_and_follow_up(services: Services) -> tuple[Rings, int]:
    """A look, and what was rung for and how many edits were promised after it."""
    bell = RecordingBell()
    checks = list(look(services).values())
    promised = follow_up(services.wiki("enwiki"), checks, bell, rescore=services.settings.upkeep.rescore)
    return bell.rings, promised


def promote(services: Services, database: Database, endpoint: EmulatedEndpoint) -> tuple[Rings, int]:
    endpoint.set(versions={"damaging": NEW})
    assert look_and_follow_up(services) == ([], 0)
    let_settle(database)
    return look_and_follow_up(services)


def test_a_look_that_changes_nothing_is_followed_by_nothing(services: Services, past: Database) -> None:
    assert look_and_follow_up(services) == ([], 0)


def test_the_first_version_of_a_model_is_followed_by_nothing(services: Services, database: Database) -> None:
    assert look_and_follow_up(services) == ([], 0)


def test_a_change_is_followed_by_a_purge(services: Services, past: Database, endpoint: EmulatedEndpoint) -> None:
    assert promote(services, past, endpoint) == ([("purge_scores", "enwiki")], 0)
    assert count(past, BACKFILL.messages) == 0


def test_where_it_is_wanted_all_that_is_in_recentchanges_is_promised_again(
    services_for: BuildServices, past: Database, endpoint: EmulatedEndpoint
) -> None:
    services = services_for(upkeep={"rescore": True})

    assert promote(services, past, endpoint) == ([("purge_scores", "enwiki"), ("turn", "enwiki", "backfill_outbox")], 4)
    assert status(past, BACKFILL).ready == 4
