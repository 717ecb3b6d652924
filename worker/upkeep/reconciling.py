"""Compares edits with what was announced: an edit without an event, sent or promised, is promised again.

Streams of Wikimedia were silent for months and nobody noticed, so a promise has to be checked.
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
    """One step: how many edits were compared, and the revisions of those without an event."""

    compared: int
    missing: tuple[int, ...]


def reconcile(wiki: Wiki, lanes: Mapping[str, Lane], since: datetime, *, dry_run: bool = False) -> Iterator[Reconciled]:
    """Compare the edits in recentchanges *since* then with the ledger, the newest first, and promise what is missing.

    *lanes* are those of the sinks to which every edit is announced, by the sinks' names.

    An edit promised again is scored from the cache, or anew, and announced to the sinks that lack it. The tables hold
    less of an edit than its source did, so its events are new ones with ids of their own; these ids are the same each
    time an edit is reconciled. The caller may stop at any time. The ledger must reach back that far: see
    `events.ledger_days`.
    """
    before: int | None = None
    while True:
        with wiki.database.reading() as connection:
            edits, before = recent_edits(connection, wiki.id, before=before, limit=BATCH)
            young = [edit for edit in edits if edit.timestamp >= since]
            missing = _missing(connection, lanes, young)
        if missing and not dry_run:
            with wiki.database.transaction() as connection:
                record(connection, *(edit.model_copy(update={"is_reconciled": True}) for edit in missing))
            log.warning("events_missing", wiki=wiki.id, revisions=[edit.revision for edit in missing])
        yield Reconciled(compared=len(young), missing=tuple(edit.revision for edit in missing))
        if before is None or len(young) < len(edits):
            return


def _missing(connection: Connection, lanes: Mapping[str, Lane], edits: Collection[Edit]) -> list[Edit]:
    """Those of *edits* for which some sink has got no event, and will get none."""
    revisions = {edit.revision for edit in edits}
    untold = set[int]().union(*(revisions - announced(connection, revisions, sink) for sink in lanes))
    # The order is that in which promises move from table to table, so that none is missed while it moves.
    untold -= promised(connection, EDITS, untold)
    missing = set[int]().union(*(lacking(connection, sink, lane, untold) for sink, lane in lanes.items()))
    return [edit for edit in edits if edit.revision in missing]
