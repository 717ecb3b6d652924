"""A new model version is deployed while edits flow: nothing is lost, no score has a wrong version, the new one wins."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from outbox import EDITS, Edit
from outbox.inspection import inspect_lane
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import announced, events_of, is_for_patrollers, sample_edits
from tests.acceptance.running import Running, running
from worker.bootstrap import LANES
from worker.emulators.scoring.endpoint import probabilities
from worker.scores.model_versions import current_models
from worker.scores.rows import rounded
from worker.scores.tables import ores_classification, ores_model

WIKI, OLD, NEW = "itwiki", "0.5.1", "0.6.0"
UPKEEP = {"check_seconds": 1, "prompted_seconds": 0.2, "settle_seconds": 1}
STEP = 10
#: (model, version, revision) and what stands in the row of the true class.
Rows = dict[tuple[str, str, int], float]


def stored(here: Running) -> Rows:
    row, model = ores_classification.c, ores_model.c
    query = select(model.oresm_name, model.oresm_version, row.oresc_rev, row.oresc_probability).join_from(
        ores_classification, ores_model, model.oresm_id == row.oresc_model
    )
    with here.services.wiki(WIKI).database.reading() as connection:
        return {(name, version, revision): value for name, version, revision, value in connection.execute(query)}


def is_right(rows: Rows) -> bool:
    """Whether each row holds what its own version says; what another says differs."""
    return all(
        value == rounded(probabilities(0, WIKI, model, revision, version)["true"])
        for (model, version, revision), value in rows.items()
    )


def versions_of(rows: Rows) -> set[str]:
    return {version for name, version, _ in rows if name == "damaging"}


def revisions_of(rows: Rows, model: str) -> set[int]:
    return {revision for name, _, revision in rows if name == model}


def current(here: Running) -> dict[str, str]:
    known = here.services.wiki(WIKI).database.run(current_models)
    return {name: model.version for name, model in known.items()}


def assert_all_is_settled_and_announced_once(here: Running, edits: Sequence[Edit]) -> None:
    with here.services.wiki(WIKI).database.reading() as connection:
        for lane in LANES:
            status = inspect_lane(connection, lane)
            assert (status.pending, status.dead) == (0, 0), status
    subjects = announced(events_of(here.directory))
    assert len(subjects) == len(edits)
    assert set(subjects.values()) == {(edit.wiki, edit.revision) for edit in edits}


@pytest.mark.parametrize(("databases", "rescore"), [("sqlite_databases", False), ("mariadb_databases", True)])
def test_a_new_version_takes_over_while_edits_flow(
    request: pytest.FixtureRequest, tmp_path: Path, databases: str, rescore: bool
) -> None:
    new_database: NewDatabase = request.getfixturevalue(databases)
    edits = sample_edits(WIKI, 400)
    before, after = edits[:100], edits[100:]
    upkeep: dict[str, Any] = UPKEEP | {"rescore": rescore}
    with running(tmp_path, {WIKI: new_database(WIKI)}, upkeep=upkeep) as here:
        here.endpoint.set(version_changes_scores=True, latency_ms=20)
        here.save(before)
        here.until_at_most(60, EDITS)
        # With some scored, some on the way and some untouched.
        here.endpoint.set(versions={"damaging": NEW})
        for start in range(0, len(after) - STEP, STEP):
            here.save(after[start : start + STEP])
            here.until_at_most(STEP, EDITS)
            assert is_right(stored(here))
            if current(here)["damaging"] == NEW:
                break
        here.until(lambda: current(here)["damaging"] == NEW, "the new version to be current")
        here.save(after[-STEP:])
        saved = [*before, *after[: start + STEP], *after[-STEP:]]
        here.until(lambda: OLD not in versions_of(stored(here)), "the end of the old version's rows")
        here.until_all_is_kept()

        rows = stored(here)
        assert is_right(rows)
        assert current(here) == {"damaging": NEW, "goodfaith": OLD}
        for_patrollers = {edit.revision for edit in saved if is_for_patrollers(edit)}
        assert revisions_of(rows, "goodfaith") == for_patrollers
        # What was scored before the deployment loses its rows, and gets new ones where that is wanted.
        may_lack = set() if rescore else {edit.revision for edit in before}
        assert for_patrollers - may_lack <= revisions_of(rows, "damaging") <= for_patrollers
        assert_all_is_settled_and_announced_once(here, saved)
