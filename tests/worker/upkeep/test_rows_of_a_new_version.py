"""A new version appears while a worker lives: where the rows of its replies go, who sees them, and who is told."""

import pytest
from sqlalchemy import select

from outbox import PatrolStatus
from outbox.database import Database
from tests.builders import an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.lines import classified_versions, count, drain, promised_events, save
from tests.worker.upkeep.looking import NEW, OLD, let_settle, look, rows_of_versions
from worker.bootstrap import Services
from worker.emulators.scoring.endpoint import probabilities
from worker.scores.rows import rounded
from worker.scores.tables import ores_classification, ores_model


@pytest.fixture
def worker(services: Services, database: Database, endpoint: EmulatedEndpoint) -> Services:
    """A worker that has scored revisions 1 to 3 with 0.5.1; then 0.6.0 is deployed, which scores otherwise."""
    endpoint.set(version_changes_scores=True)
    save(database, edits(3))
    drain(services)
    endpoint.set(versions={"damaging": NEW})
    return services


def promote(services: Services, database: Database) -> None:
    look(services)
    let_settle(database)
    look(services)


def probabilities_of_rows(database: Database) -> dict[tuple[int, str], float]:
    """(revision, version) to the probability that stands in the row of damaging."""
    row, model = ores_classification.c, ores_model.c
    query = select(row.oresc_rev, model.oresm_version, row.oresc_probability).join_from(
        ores_classification, ores_model, model.oresm_id == row.oresc_model
    )
    with database.reading() as connection:
        found = connection.execute(query.where(model.oresm_name == "damaging"))
        return {(revision, version): probability for revision, version, probability in found}


def seen_by_readers(database: Database) -> set[int]:
    """Revisions that have a score of damaging for whoever joins the current version, as every reader does."""
    row, model = ores_classification.c, ores_model.c
    query = select(row.oresc_rev).join_from(ores_classification, ores_model, model.oresm_id == row.oresc_model)
    with database.reading() as connection:
        found = connection.execute(query.where(model.oresm_name == "damaging", model.oresm_is_current == 1))
        return set(found.scalars())


def test_extension_ores_writes_rows_of_a_new_version_under_the_old_ones_id_and_we_never_do(
    worker: Services, database: Database
) -> None:
    for revision in (4, 5, 6):
        save(database, [an_edit(revision=revision)])
        drain(worker)

    assert probabilities_of_rows(database) == {
        (revision, version): rounded(probabilities(0, "enwiki", "damaging", revision, version)["true"])
        for version, revisions in ((OLD, (1, 2, 3)), (NEW, (4, 5, 6)))
        for revision in revisions
    }


def test_after_the_promotion_readers_see_the_rows_that_were_written_before_it(
    worker: Services, database: Database
) -> None:
    save(database, edits(3, first=4))
    drain(worker)
    assert seen_by_readers(database) == {1, 2, 3}

    promote(worker, database)

    assert seen_by_readers(database) == {4, 5, 6}


def test_after_the_promotion_the_same_worker_writes_where_readers_look(worker: Services, database: Database) -> None:
    promote(worker, database)
    save(database, edits(3, first=4))
    drain(worker)

    assert seen_by_readers(database) == {4, 5, 6}


def test_replicas_on_mixed_versions_have_each_reply_stored_under_its_own(
    worker: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 1}})
    save(database, edits(200, first=4))
    drain(worker)

    assert {version for name, version in rows_of_versions(database) if name == "damaging"} == {OLD, NEW}
    assert len(probabilities_of_rows(database)) == 203
    for (revision, version), probability in probabilities_of_rows(database).items():
        assert probability == rounded(probabilities(0, "enwiki", "damaging", revision, version)["true"])


def test_an_event_names_the_version_that_scored_it(worker: Services, database: Database) -> None:
    save(database, edits(1, first=4))
    drain(worker)

    (event,) = [event for event in promised_events(database) if event["rev_id"] == 4]
    assert event["scores"]["damaging"]["model_version"] == NEW
    assert event["scores"]["goodfaith"]["model_version"] == OLD


def test_a_model_whose_version_stays_keeps_its_rows_in_one_place(worker: Services, database: Database) -> None:
    save(database, edits(3, first=4))
    drain(worker)
    promote(worker, database)

    assert rows_of_versions(database)["goodfaith", OLD] == 6


def test_rows_that_are_there_are_not_written_again_under_the_new_version(worker: Services, database: Database) -> None:
    promote(worker, database)

    assert classified_versions(database) == {revision: {OLD} for revision in (1, 2, 3)}
    assert count(database, ores_classification) == 6


def test_a_reply_of_an_unknown_version_rings_for_news(worker: Services, database: Database) -> None:
    save(database, edits(1, first=4))

    assert drain(worker) == ["news", "settled"]


def test_an_edit_that_leaves_no_row_brings_news_all_the_same(worker: Services, database: Database) -> None:
    save(database, [an_edit(revision=4, patrol_status=PatrolStatus.AUTOPATROLLED)])

    assert drain(worker) == ["news", "settled"]


def test_each_batch_brings_news_until_the_version_is_current(worker: Services, database: Database) -> None:
    rings = []
    for revision in (4, 5):
        save(database, [an_edit(revision=revision)])
        rings += drain(worker)
    promote(worker, database)
    save(database, [an_edit(revision=6)])

    assert rings == ["news", "settled", "news", "settled"]
    assert drain(worker) == ["settled"]


def test_replies_of_the_current_version_are_no_news(services: Services, database: Database) -> None:
    save(database, edits(3))

    assert drain(services) == ["settled"]
