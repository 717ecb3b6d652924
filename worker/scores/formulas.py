"""What formulas of thresholds resolve to, kept in `formula_threshold`.

The periodic check asks the endpoint; readers ask only this table, however many they are. Without such a guard, readers
took ORES down. Source: wikitech, Incident documentation/20171128-ORES.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection, delete, select

from outbox.columns import database_now
from outbox.inserting import insert_if_missing
from worker.domain.thresholds import Statistic
from worker.scores.own_tables import formula_threshold

#: A check that asked at the same moment got the same answer.
INSERT_IF_MISSING = insert_if_missing(formula_threshold)


def known_statistics(
    connection: Connection, model: str, version: str, *, younger_than: timedelta | None = None
) -> dict[Statistic, float | None]:
    """The thresholds to which formulas resolve for that version of *model*; None if no threshold satisfies one."""
    row = formula_threshold.c
    query = select(row.label, row.formula, row.threshold).where(row.model == model, row.version == version)
    if younger_than is not None:
        query = query.where(row.asked_at > database_now(-younger_than))
    return {Statistic(each.label, each.formula): each.threshold for each in connection.execute(query)}


def keep_statistics(connection: Connection, model: str, version: str, found: Mapping[Statistic, float | None]) -> None:
    """Store the thresholds to which formulas resolve, in place of earlier ones; does not commit."""
    row = formula_threshold.c
    for statistic, threshold in sorted(found.items()):
        key = {"model": model, "version": version, "label": statistic.label, "formula": statistic.formula}
        same = [row[name] == value for name, value in key.items()]
        connection.execute(delete(formula_threshold).where(*same))
        connection.execute(INSERT_IF_MISSING.values(**key, threshold=threshold))
