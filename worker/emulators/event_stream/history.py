"""The events of the emulated EventStreams in their topics, and where a connection reads in them. Pure.

Source of the rules: wikimedia/KafkaSSE lib/KafkaSSE.js, lib/utils.js.
"""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from worker.emulators.documents import Document, encode
from worker.emulators.event_stream.refusals import invalid_assignment, no_such_topics, no_time

DATACENTRES = ("eqiad", "codfw")
#: The time of the first event; fixed, so that every run is the same.
BEGINNING_MS = 1_767_225_600_000
WANTED = "Must provide either an array topic names, or  an array of objects with topic, partition and offset|timestamp."


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event in its topic."""

    topic: str
    offset: int
    timestamp: int
    data: str


class History:
    """The newest *kept* events of all topics, in the order in which they came."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self.clear()

    def clear(self) -> None:
        """Start again, with the first time and the first offsets."""
        self._events: dict[int, Recorded] = {}
        self.ends: Counter[str] = Counter()
        self.first = self.end = 0
        self._clock = BEGINNING_MS

    def append(self, topic: str, data: str, later_ms: int) -> None:
        """Add an event; the next one will be *later_ms* later."""
        self._events[self.end] = Recorded(topic, self.ends[topic], self._clock, data)
        self.end += 1
        self.ends[topic] += 1
        self._clock += later_ms
        if self.end - self.first > self._kept:
            del self._events[self.first]
            self.first += 1

    def event(self, number: int) -> Recorded | None:
        """The event with that number; None if it is no longer kept, or not there yet."""
        return self._events.get(number)

    def offset_at(self, topic: str, timestamp: int) -> int:
        """The offset of the first event at *timestamp* or later; -1, that is the end, if there is none."""
        matching = (
            each.offset for each in self._events.values() if each.topic == topic and each.timestamp >= timestamp
        )
        return next(matching, -1)


class Reading:
    """Where one connection is in each of its topics."""

    def __init__(self, history: History, topics: Collection[str], last_event_id: str | None, since: str | None) -> None:
        places = _assignments(topics, last_event_id, since) if last_event_id else dict.fromkeys(topics, _since(since))
        #: The place in each topic, as ids write it.
        self._places: dict[str, tuple[str, int]] = {}
        self._next: dict[str, int] = {}
        for topic, (kind, value) in places.items():
            offset = history.offset_at(topic, value) if kind == "timestamp" else value
            self._places[topic] = ("offset", offset)
            self._next[topic] = history.ends[topic] if offset < 0 else offset

    def has_before_it(self, event: Recorded) -> bool:
        """Whether *event* is to be sent."""
        return event.topic in self._next and event.offset >= self._next[event.topic]

    def id_after(self, event: Recorded, kind: Literal["timestamp", "offset"]) -> str:
        """The id of *event*: where to continue. It is one later, so others of the same time are skipped."""
        self._places[event.topic] = (kind, getattr(event, kind) + 1)
        return encode([{"topic": topic, "partition": 0, name: at} for topic, (name, at) in self._places.items()])


def topics_of(stream: str) -> list[str]:
    """A stream has one topic for each data centre."""
    return [f"{datacentre}.{stream}" for datacentre in DATACENTRES]


def _since(text: str | None) -> tuple[str, int]:
    if text is None:
        return "offset", -1
    try:
        if text.isdecimal():
            return "timestamp", int(text)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise no_time(text) from error
    return "timestamp", int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _assignments(topics: Collection[str], last_event_id: str, since: str | None) -> dict[str, tuple[str, int]]:
    try:
        parts = json.loads(last_event_id)
    except ValueError as error:
        raise invalid_assignment(str(error), last_event_id=last_event_id) from error
    parts = parts.split(",") if isinstance(parts, str) else parts
    if not isinstance(parts, list) or not parts or not all(map(_is_assignment, parts)):
        raise invalid_assignment(WANTED, assignments=parts)
    named = [part if isinstance(part, str) else part["topic"] for part in parts]
    if unknown := [topic for topic in dict.fromkeys(named) if topic not in topics]:
        raise no_such_topics(unknown, topics)
    return {
        topic: _since(since) if isinstance(part, str) else _place(part)
        for topic, part in zip(named, parts, strict=True)
    }


def _place(part: Document) -> tuple[str, int]:
    kind = "offset" if "offset" in part else "timestamp"
    return kind, cast("int", part[kind])


def _is_assignment(part: object) -> bool:
    """A topic by its name, or a place in one."""
    return isinstance(part, str) or (
        isinstance(part, dict)
        and isinstance(part.get("topic"), str)
        and isinstance(part.get("partition"), int)
        and (isinstance(part.get("offset"), int) or isinstance(part.get("timestamp"), int))
    )


def canary(stream: str) -> Document:
    """The event that is sent from time to time to show that the stream works."""
    return {
        "$schema": "/mediawiki/recentchange/1.0.0",
        "meta": {"domain": "canary", "stream": stream, "dt": "2026-01-01T00:00:00Z"},
        "type": "edit",
        "wiki": "canary",
    }
