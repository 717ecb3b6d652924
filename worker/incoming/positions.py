"""How far a stream of edits was read, kept in each wiki's database with the edits themselves."""

import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from outbox.columns import BinaryString, Moment, database_now
from outbox.tables import UTF8, metadata
from worker.domain.json_text import to_json

#: EventStreams continues a millisecond after the last event, which would miss other events of the same millisecond, and
#: late ones with an earlier time. So we begin this much earlier; edits that come again are recognised by their
#: revision.
REWIND_MS = 10_000
LONGEST_SOURCE = 255

stream_position = Table(
    "stream_position",
    metadata,
    #: The address of the stream; or what a wiki's own recentchanges are called (`worker.incoming.following`).
    Column("source", BinaryString(LONGEST_SOURCE), primary_key=True),
    #: The id of the last event that was read, whichever wiki it was about.
    Column("event_id", Text, nullable=False),
    Column("read_at", Moment, nullable=False, server_default=database_now()),
    **UTF8,
)


def position(connection: Connection, source: str) -> str | None:
    """The id of the last event that was read from *source*."""
    here = stream_position.c
    return connection.execute(select(here.event_id).where(here.source == source)).scalar_one_or_none()


def locked_position(connection: Connection, source: str) -> str | None:
    """The same; who asks for it next waits until this transaction has ended."""
    here = stream_position.c
    return connection.execute(select(here.event_id).where(here.source == source).with_for_update()).scalar_one_or_none()


def remember(connection: Connection, source: str, event_id: str) -> None:
    """Remember that *source* was read up to that event; does not commit."""
    forget_positions(connection, source)
    connection.execute(insert(stream_position).values(source=source, event_id=event_id))


def forget_positions(connection: Connection, *sources: str) -> None:
    """Remember nothing of *sources*; does not commit."""
    connection.execute(delete(stream_position).where(stream_position.c.source.in_(sources)))


def resume_from(event_ids: Collection[str]) -> str:
    """The id to continue from so that nothing is missed that came after any of *event_ids*. Pure.

    Ids of EventStreams have a place for each topic and partition; the earliest place of each is taken, and a little
    before it. If an id has another form, the first id is taken as it is.
    Source: wikimedia/KafkaSSE lib/KafkaSSE.js `_updateLatestOffsetsMap`, lib/utils.js `buildAssignmentsAsync`.
    """
    try:
        earliest: dict[tuple[str, int], dict[str, Any]] = {}
        for place in (place for event_id in event_ids for place in _places(json.loads(event_id))):
            key = (place["topic"], place["partition"])
            earliest[key] = min(earliest.get(key, place), place, key=_how_early)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return next(iter(event_ids))
    return to_json(list(earliest.values()))


def _places(parts: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    parts = list(parts)
    latest = max((int(part["timestamp"]) for part in parts if "timestamp" in part), default=None)
    for part in parts:
        place = {"topic": part["topic"], "partition": part["partition"]}
        # An offset of -1 means the next event, whichever that is; used as it is, it would skip all that came since.
        offset, timestamp = int(part.get("offset", -1)), part.get("timestamp", latest)
        yield place | ({"offset": offset} if offset >= 0 or timestamp is None else {"timestamp": timestamp - REWIND_MS})


def _how_early(place: dict[str, Any]) -> tuple[int, int]:
    """The key by which places are sorted: one with an offset comes before any with a time.

    An id has an offset only until the first event of its topic comes.
    """
    if "timestamp" in place:
        return 1, place["timestamp"]
    return (0 if place["offset"] >= 0 else 2), place["offset"]
