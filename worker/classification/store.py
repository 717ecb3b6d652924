"""Writing rows of `ores_classification`."""

from collections.abc import Sequence

from sqlalchemy import Insert, insert
from sqlalchemy.orm import Session

from worker.classification.rows import Classification
from worker.classification.tables import ores_classification

#: A row that is there already is kept as it is, as Extension:ORES keeps it: scores are never updated in place.
INSERT_IF_MISSING: Insert = (
    insert(ores_classification)
    .prefix_with("IGNORE", dialect="mysql")
    .prefix_with("IGNORE", dialect="mariadb")
    .prefix_with("OR IGNORE", dialect="sqlite")
)


def store(session: Session, rows: Sequence[Classification]) -> None:
    """Write *rows* in one statement, in the order of their unique key; does not commit."""
    if rows:
        session.execute(
            INSERT_IF_MISSING,
            [
                {
                    "oresc_rev": row.revision,
                    "oresc_model": row.model_id,
                    "oresc_class": row.class_id,
                    "oresc_probability": row.probability,
                    "oresc_is_predicted": int(row.is_predicted),
                }
                # Sorted, so that two workers take the index' locks in one order.
                for row in sorted(rows)
            ],
        )
