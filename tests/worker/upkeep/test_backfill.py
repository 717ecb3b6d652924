"""Scoring edits of the past: only what is missing is asked for, nothing is announced, and fresh edits go first."""

import pytest
from sqlalchemy import delete

from outbox import EDITS, claim
from outbox.database import Database
from outbox.dead_letters import list_dead_letters
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.conftest import BuildServices
from tests.worker.lines import (
    FOREVER,
    claim_all,
    classified_revisions,
    classified_versions,
    count,
    drain,
    drain_missing,
    let_leases_run_out,
    promised_events,
    save,
    status,
)
from tests.worker.upkeep.looking import NEW, OLD, classify, let_settle, look, rows_of_versions
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.scores.own_tables import BACKFILL
from worker.scores.tables import ores_classification
from worker.upkeep.populating import populate

BOTH = {("damaging", OLD): 10, ("goodfaith", OLD): 10}


@pytest.fixture
def past(database: Database) -> Database:
    """Ten edits of which nobody promised to score them."""
    with database.transaction() as session:
        for edit in edits(10):
            save_edit(session, edit)
        session.execute(delete(EDITS.messages))
    return database


def fill_in(services: Services) -> None:
    list(populate(services.wiki("enwiki")))
    drain_missing(services)


def asked(endpoint: EmulatedEndpoint) -> set[tuple[str, int]]:
    """(model, revision) of each score that the endpoint was asked for."""
    return {
        (model, revision) for call in endpoint.calls() for model in call["models"] for revision in call["revisions"]
    }


def test_edits_of_the_past_get_their_rows(services: Services, past: Database) -> None:
    fill_in(services)

    assert rows_of_versions(past) == BOTH
    assert status(past, BACKFILL).pending == 0


def test_edits_of_the_past_are_not_announced_again(services: Services, past: Database) -> None:
    fill_in(services)

    assert promised_events(past) == []


def test_only_what_is_missing_is_asked_for_by_model(
    services: Services, past: Database, endpoint: EmulatedEndpoint
) -> None:
    classify(past, [1, 2, 3], "damaging")
    classify(past, [3, 4, 5], "goodfaith")
    fill_in(services)

    assert asked(endpoint) == {("damaging", revision) for revision in range(4, 11)} | {
        ("goodfaith", revision) for revision in (1, 2, *range(6, 11))
    }
    assert rows_of_versions(past) == BOTH


def test_filling_in_twice_asks_once(services: Services, past: Database, endpoint: EmulatedEndpoint) -> None:
    fill_in(services)
    fill_in(services)

    assert endpoint.summary()["scores"] == 20
    assert rows_of_versions(past) == BOTH


def test_edits_that_were_promised_twice_are_scored_once(
    services: Services, past: Database, endpoint: EmulatedEndpoint
) -> None:
    list(populate(services.wiki("enwiki")))
    fill_in(services)

    assert endpoint.summary()["scores"] == 20
    assert rows_of_versions(past) == BOTH


def test_what_a_dead_worker_had_claimed_is_filled_in_by_the_next(services: Services, past: Database) -> None:
    list(populate(services.wiki("enwiki")))
    assert len(claim_all(past, BACKFILL)) == 10
    let_leases_run_out(past, BACKFILL)

    for _ in range(10):
        drain_missing(services)

    assert rows_of_versions(past) == BOTH
    assert status(past, BACKFILL).pending == 0


def test_a_crash_between_promising_and_scoring_loses_nothing(
    services: Services, services_for: BuildServices, past: Database
) -> None:
    next(populate(services.wiki("enwiki"), batch_size=4))
    drain_missing(services_for())

    assert classified_revisions(past) == {7, 8, 9, 10}
    fill_in(services_for())
    assert rows_of_versions(past) == BOTH


def test_while_fresh_edits_wait_none_of_the_past_is_claimed(services: Services, past: Database) -> None:
    list(populate(services.wiki("enwiki")))
    save(past, [an_edit(revision=11)])
    drain_missing(services)

    assert status(past, BACKFILL).ready == 10
    assert count(past, ores_classification) == 0


def test_once_fresh_edits_are_scored_those_of_the_past_are(services: Services, past: Database) -> None:
    list(populate(services.wiki("enwiki")))
    save(past, [an_edit(revision=11)])
    drain(services)
    drain_missing(services)

    assert classified_revisions(past) == set(range(1, 12))
    assert [event["rev_id"] for event in promised_events(past)] == [11]


def test_fresh_edits_that_another_worker_is_scoring_hold_up_nobody(services: Services, past: Database) -> None:
    list(populate(services.wiki("enwiki")))
    save(past, [an_edit(revision=11)])
    with past.transaction() as session:
        assert len(claim(session, EDITS, limit=10, lease=FOREVER)) == 1
    drain_missing(services)

    assert classified_revisions(past) == set(range(1, 11))


def test_a_revision_that_is_gone_is_settled_and_leaves_no_row(
    services: Services, past: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(missing_revisions=[4])
    fill_in(services)

    assert classified_revisions(past) == set(range(1, 11)) - {4}
    assert (status(past, BACKFILL).pending, status(past, BACKFILL).dead) == (0, 0)


def test_an_outage_keeps_every_promise(services: Services, past: Database, endpoint: EmulatedEndpoint) -> None:
    look(services)
    endpoint.set(failures={"rate": 1, "status": 503})
    fill_in(services)

    assert status(past, BACKFILL).pending == 10
    with past.reading() as connection:
        assert list_dead_letters(connection, BACKFILL) == []


def test_a_model_that_leaves_no_rows_is_not_asked(
    services_for: BuildServices, past: Database, endpoint: EmulatedEndpoint
) -> None:
    fill_in(services_for(models=["damaging", "articletopic"]))

    assert {model for model, _ in asked(endpoint)} == {"damaging"}


def test_after_a_promotion_what_is_in_recentchanges_gets_rows_of_the_new_version(
    services: Services, past: Database, endpoint: EmulatedEndpoint
) -> None:
    fill_in(services)
    endpoint.set(versions={"damaging": NEW})
    look(services)
    let_settle(past)
    look(services)
    fill_in(services)

    assert classified_versions(past) == {revision: {OLD, NEW} for revision in range(1, 11)}
    assert rows_of_versions(past) == {**BOTH, ("damaging", NEW): 10}
    assert count(past, FILE.lane.messages) == 0


def test_after_a_promotion_the_model_whose_version_stayed_is_not_asked_again(
    services: Services, past: Database, endpoint: EmulatedEndpoint
) -> None:
    fill_in(services)
    endpoint.set(versions={"damaging": NEW})
    look(services)
    let_settle(past)
    look(services)
    before = len(endpoint.calls())
    fill_in(services)

    assert {model for call in endpoint.calls()[before:] for model in call["models"]} == {"damaging"}
