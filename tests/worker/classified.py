"""Rows of `ores_classification` as tests of filters put them there, without a score before them."""

from collections.abc import Mapping

from outbox.database import Database
from worker.scores.filters import ScoreColumn
from worker.scores.model_versions import current_models, model_ids
from worker.scores.rows import Classification
from worker.scores.store import store

ANY_TIME = "20260101000000"


def classify(
    database: Database,
    probabilities: Mapping[int, float],
    *,
    model: str = "damaging",
    version: str = "1",
    class_id: int = 1,
) -> None:
    """Store a row for each revision; the first version of a model is its current one."""
    with database.transaction() as session:
        model_id = model_ids(session, [(model, version)], {})[model, version]
        rows = [
            Classification(revision, model_id, class_id, probability, is_predicted=False)
            for revision, probability in probabilities.items()
        ]
        store(session, rows)


def columns_of(database: Database, *models: str) -> dict[str, ScoreColumn]:
    """Where the probabilities of the current versions of *models* stand."""
    with database.transaction() as session:
        known = current_models(session)
    return {model: ScoreColumn(known[model].id, 1) for model in models if model in known}
