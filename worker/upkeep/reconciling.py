"""Compares edits with what was announced: an edit with no event in the ledger and none promised is promised again.

Wikimedia's streams have been silent for months and nobody noticed. What nobody checks is not promised.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from outbox import EDITS, Edit, Lane, record
from outbox.mediawiki.reading import recent_edits
from worker.config.telemetry import log
from worker.config.wiki import Wiki
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

    What is promised again is scored from the cache, or anew, and has the same event ids as before unless its model has
    a new version. The caller may stop at any time. The ledger must reach back that far: see `events.ledger_days`.
    """
    before: int | None = None
    while True:
        with wiki.database.reading() as connection:
            edits, before = recent_edits(connection, wiki.id, before=before, limit=BATCH)
            young = [edit for edit in edits if edit.timestamp >= since]
            missing = _missing(connection, lanes, young)
        if missing and not dry_run:
            with wiki.database.transaction() as session:
                record(session, *missing)
            log.warning("events_missing", wiki=wiki.id, revisions=[edit.revision for edit in missing])
        yield Reconciled(compared=len(young), missing=tuple(edit.revision for edit in missing))
        if before is None or len(young) < len(edits):
            return


def _missing(connection: Connection, lanes: Mapping[str, Lane], edits: Collection[Edit]) -> list[Edit]:
    """Those of *edits* about which some sink was sent nothing, and will be sent nothing."""

    def without_told(revisions: set[int], sink: str) -> set[int]:
        return revisions - announced(connection, revisions, sink)

    revisions = {edit.revision for edit in edits}
    untold = set[int]().union(*(without_told(revisions, sink) for sink in lanes))
    # Look in the order in which promises move from table to table, so that none slips through meanwhile.
    untold -= _promised(connection, EDITS, untold)
    missing = set[int]()
    for sink, lane in lanes.items():
        left = without_told(untold, sink)
        left -= _promised(connection, lane, left)
        missing |= without_told(left, sink)
    return [edit for edit in edits if edit.revision in missing]


def _promised(connection: Connection, lane: Lane, revisions: set[int]) -> set[int]:
    """Those of *revisions* that *lane* has messages of, waiting and dead ones too; reads no further than it must."""
    found = set[int]()
    for table in (lane.messages, lane.waiting, lane.dead_letters):
        newest = select(table.c.id, table.c.payload).order_by(table.c.id.desc()).limit(BATCH)
        rows = connection.execute(newest).all()
        while rows and found != revisions:
            found |= revisions & {_revision_in(row.payload) for row in rows}
            rows = connection.execute(newest.where(table.c.id < rows[-1].id)).all()
    return found


def _revision_in(payload: str) -> int | None:
    try:
        message = json.loads(payload)
        if "kind" in message:
            # A change of the page: it announces no edit.
            return None
        revision = message.get("revision", message.get("rev_id"))
        number = revision.get("rev_id") if isinstance(revision, dict) else revision
    except (ValueError, AttributeError, TypeError):
        return None
    return number if isinstance(number, int) else None
