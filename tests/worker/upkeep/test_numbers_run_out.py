"""More versions than `oresc_model` can number: an edit that can't be stored as a whole is not lost in part."""

from collections.abc import Sequence

import pytest
from sqlalchemy import delete, insert, text

from outbox import EDITS, PatrolStatus
from outbox.database import Database
from outbox.dead_letters import list_dead_letters, requeue
from tests.builders import an_edit, edits
from tests.worker.conftest import BuildServices
from tests.worker.lines import drain, promised_events, save, status
from tests.worker.upkeep.looking import rows_of_versions
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.scores.model_versions import MOST_MODELS
from worker.scores.tables import ores_model

LAST = {"oresm_id": MOST_MODELS, "oresm_name": "articlequality", "oresm_version": "1", "oresm_is_current": 1}
GOODFAITH = {"oresm_id": 1, "oresm_name": "goodfaith", "oresm_version": "0.5.1", "oresm_is_current": 1}


@pytest.fixture
def full(database: Database) -> Database:
    """goodfaith has a number; the next version of any model gets one too many."""
    with database.transaction() as session:
        session.execute(insert(ores_model), [GOODFAITH, LAST])
    return database


def reasons(database: Database) -> Sequence[tuple[str, str]]:
    with database.reading() as connection:
        return [(letter.reason, letter.error) for letter in list_dead_letters(connection, EDITS)]


def test_an_edit_whose_version_finds_no_number_becomes_a_dead_letter_that_says_so(
    services: Services, full: Database
) -> None:
    save(full, edits(1))
    drain(services)

    ((reason, error),) = reasons(full)
    assert reason == "no_model_id"
    assert error.startswith("damaging 0.5.1 ")


def test_its_event_is_promised_with_all_scores(services: Services, full: Database) -> None:
    save(full, edits(1))
    drain(services)

    (event,) = promised_events(full)
    assert event["scores"].keys() == {"damaging", "goodfaith"}


def test_the_rows_of_the_other_model_are_stored(services: Services, full: Database) -> None:
    save(full, edits(3))
    drain(services)

    assert rows_of_versions(full) == {("goodfaith", "0.5.1"): 3}


def test_every_edit_of_the_batch_is_settled_and_none_is_tried_again(services: Services, full: Database) -> None:
    save(full, edits(3))
    drain(services)

    assert (status(full, EDITS).pending, status(full, EDITS).dead, status(full, FILE.lane).ready) == (0, 3, 3)


def test_an_edit_that_leaves_no_row_needs_no_number(services: Services, full: Database) -> None:
    save(full, [an_edit(revision=1, patrol_status=PatrolStatus.AUTOPATROLLED), an_edit(revision=2, is_bot=True)])
    drain(services)

    assert (status(full, EDITS).pending, status(full, EDITS).dead, status(full, FILE.lane).ready) == (0, 0, 2)


def test_once_there_is_a_number_a_requeued_letter_gets_its_rows(services: Services, full: Database) -> None:
    save(full, edits(1))
    drain(services)
    with full.transaction() as session:
        session.execute(delete(ores_model).where(ores_model.c.oresm_id >= MOST_MODELS))
        if full.url.get_backend_name() != "sqlite":
            session.execute(text(f"ALTER TABLE {full.url.database}.ores_model AUTO_INCREMENT = 1"))
        requeue(session, EDITS, [letter.id for letter in list_dead_letters(session, EDITS)])

    drain(services)

    assert rows_of_versions(full) == {("damaging", "0.5.1"): 1, ("goodfaith", "0.5.1"): 1}
    assert (status(full, EDITS).pending, status(full, EDITS).dead) == (0, 0)
    assert len({event["meta"]["id"] for event in promised_events(full)}) == 1


def test_a_model_that_leaves_no_rows_needs_no_number(services_for: BuildServices, full: Database) -> None:
    save(full, edits(1))
    drain(services_for(models=["goodfaith", "articletopic"]))

    assert reasons(full) == []
    assert rows_of_versions(full) == {("goodfaith", "0.5.1"): 1}
