"""Comparing edits with what was announced: what the ledger knows no event of, and no lane promises, is promised again.

Wikimedia's streams have been silent for months unnoticed; a completeness that nobody checks is not promised.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from outbox import EDITS, EVENT_LANES, Edit, Lane, record
from outbox.recent_changes import recent_edits
from worker.events.ledger import announced
from worker.wiki import Wiki

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """One step: edits that were compared, and the revisions of those that were missing."""

    compared: int
    missing: tuple[int, ...]


def reconcile(wiki: Wiki, since: datetime, *, dry_run: bool = False) -> Iterator[Reconciled]:
    """Compare the edits in recentchanges *since* then with the ledger, the newest first, and promise what is missing.

    What is promised again is scored from the cache, or anew, and has the same event ids as before unless its model has
    a new version. Can be left at any time. The ledger must reach back so far: see `events.ledger_days`.
    """
    before: int | None = None
    while True:
        with wiki.database.transaction() as session:
            edits, before = recent_edits(session, wiki.id, before=before, limit=BATCH)
            young = [edit for edit in edits if edit.timestamp >= since]
            missing = _missing(session.connection(), wiki, young)
            if missing and not dry_run:
                record(session, *missing)
        yield Reconciled(compared=len(young), missing=tuple(edit.revision for edit in missing))
        if before is None or len(young) < len(edits):
            return


def _missing(connection: Connection, wiki: Wiki, edits: Collection[Edit]) -> list[Edit]:
    revisions = {edit.revision for edit in edits}
    if not revisions:
        return []
    told = set.intersection(*(announced(connection, revisions, sink) for sink in wiki.sinks))
    if revisions == told:
        return []
    under_way = set().union(
        *(_revisions_in(connection, lane) for lane in (EDITS, *(EVENT_LANES[sink] for sink in wiki.sinks)))
    )
    return [edit for edit in edits if edit.revision not in told | under_way]


def _revisions_in(connection: Connection, lane: Lane) -> set[int]:
    """The revisions that *lane* holds messages of, its waiting and dead ones too: they are not forgotten."""
    found = set()
    for table in (lane.messages, lane.waiting, lane.dead_letters):
        for payload in connection.execute(select(table.c.payload)).scalars():
            revision = _revision_in(payload)
            if revision is not None:
                found.add(revision)
    return found


def _revision_in(payload: str) -> int | None:
    try:
        message = json.loads(payload)
        revision = message.get("revision", message.get("rev_id"))
        number = revision.get("rev_id") if isinstance(revision, dict) else revision
    except (ValueError, AttributeError):
        return None
    return number if isinstance(number, int) else None
