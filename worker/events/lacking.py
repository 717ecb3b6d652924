"""Edits of which a sink has no event and will get none: they are neither in the ledger nor in the sink's lane."""

import json
from collections.abc import Collection

from sqlalchemy import Connection, select

from outbox import Lane
from worker.events.ledger import announced

BATCH = 1000


def lacking(connection: Connection, sink: str, lane: Lane, revisions: Collection[int]) -> set[int]:
    """Those of *revisions* about which *sink* was sent no event, and for which no event waits in its *lane*."""
    left = set(revisions) - announced(connection, revisions, sink)
    left -= promised(connection, lane, left)
    # Events that were sent in between.
    return left - announced(connection, left, sink)


def promised(connection: Connection, lane: Lane, revisions: set[int]) -> set[int]:
    """Those of *revisions* with messages in *lane*, waiting and dead ones included; reads no further than necessary."""
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
