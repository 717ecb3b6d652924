"""How far a stream of edits was read, kept in each wiki's database with the edits themselves."""

import json

from sqlalchemy import Column, Connection, MetaData, Table, Text, delete, insert, select
from sqlalchemy.orm import Session

from outbox.columns import BinaryString, Moment, database_now
from outbox.tables import NAMING, UTF8

metadata = MetaData(naming_convention=NAMING)

stream_position = Table(
    "stream_position",
    metadata,
    #: The address of the stream.
    Column("source", BinaryString(255), primary_key=True),
    #: The id of the last event that was read, whatever it was of.
    Column("event_id", Text, nullable=False),
    Column("read_at", Moment, nullable=False, server_default=database_now()),
    **UTF8,
)


def position(session: Session | Connection, source: str) -> str | None:
    """The id of the last event that was read from *source*."""
    here = stream_position.c
    return session.execute(select(here.event_id).where(here.source == source)).scalar_one_or_none()


def remember(session: Session, source: str, event_id: str) -> None:
    """Remember that *source* was read up to that event; does not commit."""
    session.execute(delete(stream_position).where(stream_position.c.source == source))
    session.execute(insert(stream_position).values(source=source, event_id=event_id))


def timestamp_of(event_id: str) -> int:
    """The latest moment in an id of EventStreams, in milliseconds; 0 for an id that tells none. Pure."""
    try:
        parts = json.loads(event_id)
        return max(int(part["timestamp"]) for part in parts if "timestamp" in part)
    except (ValueError, TypeError, KeyError):
        return 0
