"""Filling in missing scores: finds the edits and promises them in the lane of the backfill.

Source of what PopulateDatabase does: mediawiki/extensions/ORES maintenance/PopulateDatabase.php @ e8804727. It takes an
edit with a row of any model as scored, and scores more edits than it was asked to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from outbox import record_payloads
from outbox.mediawiki.reading import recent_edits
from worker.config.wiki import Wiki
from worker.scores.missing import missing_models
from worker.scores.own_tables import BACKFILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Populated:
    """One step: the edits looked at, and the edits promised because some of their scores are missing."""

    looked_at: int
    promised: int


def populate(
    wiki: Wiki, *, number: int | None = None, batch_size: int = 1000, dry_run: bool = False
) -> Iterator[Populated]:
    """Promise the newest *number* edits (all: None) in recentchanges that lack a row they should have.

    Missing rows are found model by model (`worker.scores.missing`). Each step is one transaction. Promises survive a
    crash; a repeated call promises again what is not scored yet, which costs no scoring call and makes no second row.
    The caller may stop at any time. A *dry_run* only counts.
    """
    before: int | None = None
    left = number
    while left is None or left > 0:
        step = partial(_promise, wiki=wiki, before=before, most=left, batch_size=batch_size, dry_run=dry_run)
        populated, before = wiki.database.run(step)
        yield populated
        left = None if left is None else left - populated.promised
        if before is None:
            return


def _promise(
    connection: Connection, wiki: Wiki, before: int | None, most: int | None, batch_size: int, *, dry_run: bool
) -> tuple[Populated, int | None]:
    edits, before = recent_edits(connection, wiki.id, before=before, limit=batch_size)
    missing = missing_models(connection, wiki, edits)
    lacking = [edit for edit in edits if missing.get(edit.revision)][:most]
    if not dry_run:
        record_payloads(connection, BACKFILL, [edit.encode() for edit in lacking])
    return Populated(looked_at=len(edits), promised=len(lacking)), before
