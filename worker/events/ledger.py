"""What was announced: a row for each event that a sink took, written when it is settled and kept for some days."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Case, Connection, case, delete, func, insert, select

from outbox.columns import BY_KEY, database_now
from outbox.inserting import insert_rows
from worker.events.sinks import OutgoingEvent
from worker.events.tables import event_ledger

line = event_ledger.c
INSERT = insert(event_ledger)


def keep(connection: Connection, sink: str, events: Sequence[OutgoingEvent]) -> None:
    """Note that *sink* took *events*: one statement. Does not commit."""
    rows = [(sink, event.stream[:128], event.revision, _bytes(event.id)) for event in events]
    insert_rows(connection, INSERT, ("sink", "stream", "revision", "event_id"), rows)


def announced(connection: Connection, revisions: Collection[int], sink: str) -> set[int]:
    """Those of *revisions* for which the ledger has an event that *sink* took."""
    query = select(line.revision).distinct().where(line.revision.in_(sorted(revisions)), line.sink == sink)
    return set(connection.execute(query).scalars())


def forget_before(connection: Connection, age: timedelta, *, limit: int) -> int:
    """Remove at most *limit* lines that are older; returns how many. Does not commit."""
    old = select(line.id).where(line.delivered_at < database_now(-age)).order_by(line.delivered_at).limit(limit)
    ids = connection.execute(old).scalars().all()
    if ids:
        connection.execute(delete(event_ledger).where(line.id.in_(sorted(ids))), execution_options=BY_KEY)
    return len(ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went to one stream of one sink lately."""

    sink: str
    stream: str
    last_minute: int
    last_hour: int
    #: Seconds since the last event.
    silent_seconds: float


def traffic(connection: Connection) -> list[Traffic]:
    """What the ledger says about each stream: one statement over its rows of the last day."""
    day = line.delivered_at > database_now(timedelta(days=-1))
    minute = func.sum(_is_since(timedelta(minutes=1)))
    hour = func.sum(_is_since(timedelta(hours=1)))
    query = select(line.sink, line.stream, minute, hour, func.max(line.delivered_at), database_now())
    rows = connection.execute(query.where(day).group_by(line.sink, line.stream).order_by(line.sink, line.stream))
    return [
        Traffic(
            sink=sink,
            stream=stream,
            last_minute=int(of_minute),
            last_hour=int(of_hour),
            silent_seconds=max(0.0, (now - last).total_seconds()),
        )
        for sink, stream, of_minute, of_hour, last, now in rows
    ]


def _is_since(age: timedelta) -> Case[int]:
    return case((line.delivered_at > database_now(-age), 1), else_=0)


def _bytes(event_id: str) -> bytes:
    """An id as 16 bytes; for one that is no UUID, as events made by others may have, its UUIDv5."""
    try:
        return uuid.UUID(event_id).bytes
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, event_id).bytes
