"""Writing and removing rows of `ores_classification`."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, select

from outbox.columns import BY_KEY
from outbox.inserting import insert_if_missing, insert_rows
from worker.scores.rows import Classification
from worker.scores.tables import ores_classification, ores_model

#: A row that exists is kept as it is, as Extension:ORES does: scores are never updated in place.
INSERT_IF_MISSING = insert_if_missing(ores_classification)
COLUMNS = ("oresc_rev", "oresc_model", "oresc_class", "oresc_probability", "oresc_is_predicted")


def store(connection: Connection, rows: Sequence[Classification]) -> None:
    """Write *rows* in one statement, in the order of their unique key; does not commit."""
    values = [(row.revision, row.model_id, row.class_id, row.probability, int(row.is_predicted)) for row in rows]
    # Sorted, so that two workers take the index' locks in one order.
    insert_rows(connection, INSERT_IF_MISSING, COLUMNS, sorted(values))


def stored_pairs(connection: Connection, revisions: Collection[int], models: Collection[int]) -> set[tuple[int, int]]:
    """The pairs (revision, model id) of *revisions* and *models* that have rows: one statement."""
    row = ores_classification.c
    query = select(row.oresc_rev, row.oresc_model).distinct()
    found = connection.execute(query.where(row.oresc_rev.in_(sorted(revisions)), row.oresc_model.in_(sorted(models))))
    return {(each.oresc_rev, each.oresc_model) for each in found}


def forget(connection: Connection, revisions: Collection[int], models: Collection[str]) -> None:
    """Remove the rows of *models* for *revisions*, of any version; does not commit.

    Extension:ORES cleans parents of the current version only. Source: mediawiki/extensions/ORES
    includes/Storage/SqlScoreStorage.php `cleanUpOldScores` @ e8804727.
    """
    if not revisions or not models:
        return
    ids = list(connection.execute(select(ores_model.c.oresm_id).where(ores_model.c.oresm_name.in_(models))).scalars())
    row = ores_classification.c
    rows = delete(ores_classification).where(row.oresc_rev.in_(sorted(revisions)), row.oresc_model.in_(ids))
    connection.execute(rows, execution_options=BY_KEY)
