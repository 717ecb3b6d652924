"""Rows of the wiki and of Extension:ORES as the tests of the views need them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, text, update

from outbox.database import Database
from outbox.mediawiki.schema import recentchanges
from worker.scores.tables import ores_classification, ores_model


def add_model(database: Database, name: str, version: str = "1", *, is_current: bool = True) -> int:
    with database.transaction() as session:
        new = insert(ores_model).values(oresm_name=name, oresm_version=version, oresm_is_current=is_current)
        model: int = session.execute(new.returning(ores_model.c.oresm_id)).scalar_one()
        return model


def add_scores(
    database: Database,
    model: int,
    probabilities: Mapping[int, float],
    *,
    class_id: int = 1,
    is_predicted: bool = False,
) -> None:
    """Give revisions a row of *model*, by id, with these probabilities."""
    rows = [
        {
            "oresc_rev": revision,
            "oresc_model": model,
            "oresc_class": class_id,
            "oresc_probability": probability,
            "oresc_is_predicted": is_predicted,
        }
        for revision, probability in probabilities.items()
    ]
    with database.transaction() as session:
        session.execute(insert(ores_classification), rows)


def set_change(database: Database, revision: int, **values: Any) -> None:
    """Set columns of the row that recentchanges has of *revision*."""
    with database.transaction() as session:
        session.execute(update(recentchanges).where(recentchanges.c.rc_this_oldid == revision).values(**values))


def ask(database: Database, statement: str) -> list[dict[str, Any]]:
    """The rows of *statement*, as an admin's client gets them."""
    with database.reading() as connection:
        name = database.url.database
        if database.url.get_backend_name() != "sqlite":
            connection.exec_driver_sql(f"USE `{name}`")
        return [dict(row) for row in connection.execute(text(statement)).mappings()]
