"""Removing rows of `ores_classification` that no reader sees, a few at a time.

Each step is a transaction of its own by primary key, so that it holds few locks for a short time.
Source of what PurgeScoreCache removes: mediawiki/extensions/ORES maintenance/PurgeScoreCache.php @ e8804727. It ignores
models without a current version, forgets `keepForever`, and leaves the rows of deleted pages.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from outbox.columns import BY_KEY
from outbox.mediawiki.reading import existing_revisions, newest_revision_in_recent_changes, revisions_in_recent_changes
from worker.scores.tables import ores_classification

row = ores_classification.c


def count_rows(connection: Connection, models: Collection[int]) -> dict[int, int]:
    """How many rows each of *models*, by id, has: one statement over the index."""
    query = select(row.oresc_model, func.count()).where(row.oresc_model.in_(sorted(models)))
    return {each[0]: each[1] for each in connection.execute(query.group_by(row.oresc_model))}


def purge_of_model(connection: Connection, model: int, limit: int) -> int:
    """Remove at most *limit* rows of the model with that id; returns how many were removed. Does not commit."""
    ids = connection.execute(select(row.oresc_id).where(row.oresc_model == model).limit(limit)).scalars().all()
    _delete(connection, ids)
    return len(ids)


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step over all rows."""

    #: Rows that were looked at, and the last of them; None where none are left.
    looked_at: int
    last: int | None
    #: Rows removed, or to be removed, by model id.
    removed: Mapping[int, int]


def purge_step(
    connection: Connection,
    after: int,
    limit: int,
    *,
    kept_forever: Collection[int],
    models: Collection[int],
    dry_run: bool,
) -> Step:
    """Look at the next *limit* rows *after* that id, and remove those whose revision has left recentchanges.

    Rows of the models *kept_forever* go only if the revision is gone from the wiki. Only rows of *models* go. A
    revision newer than all of recentchanges is left alone, since its change may still be coming. Does not commit.
    """
    page = select(row.oresc_id, row.oresc_rev, row.oresc_model).where(row.oresc_id > after)
    rows = connection.execute(page.order_by(row.oresc_id).limit(limit)).all()
    if not rows:
        return Step(0, None, {})
    newest = newest_revision_in_recent_changes(connection) or 0
    revisions = {each.oresc_rev for each in rows if each.oresc_rev <= newest}
    gone = revisions - revisions_in_recent_changes(connection, revisions)
    kept = existing_revisions(connection, {each.oresc_rev for each in rows if each.oresc_model in kept_forever} & gone)
    doomed = [
        each
        for each in rows
        if each.oresc_rev in gone
        and each.oresc_model in models
        and not (each.oresc_model in kept_forever and each.oresc_rev in kept)
    ]
    if not dry_run:
        _delete(connection, [each.oresc_id for each in doomed])
    return Step(len(rows), rows[-1].oresc_id, Counter(each.oresc_model for each in doomed))


def purge_of_revisions(connection: Connection, revisions: Collection[int], *, kept_forever: Collection[int]) -> int:
    """Remove the rows of *revisions*, except those of the models *kept_forever*; returns how many. Does not commit.

    Source: mediawiki/extensions/ORES includes/Storage/SqlScoreStorage.php `purgeRows` @ e8804727, which keeps those of
    the current version only.
    """
    if not revisions:
        return 0
    query = select(row.oresc_id).where(row.oresc_rev.in_(sorted(revisions)))
    ids = connection.execute(query.where(row.oresc_model.not_in(sorted(kept_forever)))).scalars().all()
    _delete(connection, ids)
    return len(ids)


def _delete(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(delete(ores_classification).where(row.oresc_id.in_(sorted(ids))), execution_options=BY_KEY)
