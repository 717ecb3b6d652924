"""Compares edits with what was announced: an edit with no event in the ledger and none promised is promised again.

Wikimedia's streams have been silent for months and nobody noticed. What nobody checks is not promised.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from outbox import EDITS, Edit, Lane, record
from outbox.mediawiki.reading import recent_edits
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.events.lacking import lacking, promised
from worker.events.ledger import announced

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One step: edits that were compared, and the revisions of those that were missing."""

    compared: int
    missing: tuple[int, ...]


def reconcile(wiki: Wiki, lanes: Mapping[str, Lane], since: datetime, *, dry_run: bool = False) -> Iterator[Reconciled]:
    """Compare the edits in recentchanges *since* then with the ledger, the newest first, and promise what is missing.

    *lanes* are those of the sinks that every edit is announced to, by the sinks' names.

    What is promised again is scored from the cache, or anew, and announced to the sinks that lack it. The tables tell
    less than the source of an edit did, so its events are others, with ids of their own; reconciled again, they have
    the same ids. The caller may stop at any time. The ledger must reach back that far: see `events.ledger_days`.
    """
    before: int | None = None
    while True:
        with wiki.database.reading() as connection:
            edits, before = recent_edits(connection, wiki.id, before=before, limit=BATCH)
            young = [edit for edit in edits if edit.timestamp >= since]
            missing = _missing(connection, lanes, young)
        if missing and not dry_run:
            with wiki.database.transaction() as session:
                record(session, *(edit.model_copy(update={"is_reconciled": True}) for edit in missing))
            log.warning("events_missing", wiki=wiki.id, revisions=[edit.revision for edit in missing])
        yield Reconciled(compared=len(young), missing=tuple(edit.revision for edit in missing))
        if before is None or len(young) < len(edits):
            return


def _missing(connection: Connection, lanes: Mapping[str, Lane], edits: Collection[Edit]) -> list[Edit]:
    """Those of *edits* about which some sink was sent nothing, and will be sent nothing."""
    revisions = {edit.revision for edit in edits}
    untold = set[int]().union(*(revisions - announced(connection, revisions, sink) for sink in lanes))
    # Look in the order in which promises move from table to table, so that none slips through meanwhile.
    untold -= promised(connection, EDITS, untold)
    missing = set[int]().union(*(lacking(connection, sink, lane, untold) for sink, lane in lanes.items()))
    return [edit for edit in edits if edit.revision in missing]
