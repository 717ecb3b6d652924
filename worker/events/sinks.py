"""What a sink is: it takes events, and says why it did not take the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from outbox import Lane
from worker.config.http_routes import HttpRoutes
from worker.config.settings_sections import SinkSection
from worker.lanes.loops import HttpLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEvent:
    """An event on its way: its JSON as promised, and what sinks need to know of it."""

    #: `meta.stream` and `meta.id`.
    stream: str
    id: str
    body: str
    #: The page, by wiki and page id (or by the title, if that is not known), and the revision.
    wiki: str
    page: int | None
    revision: int
    title: str = ""

    @property
    def line(self) -> tuple[str, str, int | str]:
        """Events with the same value must keep their order: the stream and the page, by its title if need be."""
        return self.stream, self.wiki, self.title if self.page is None else self.page


@dataclass(frozen=True, slots=True)
class EventRefused:
    """The sink will never take this event, and says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class EventFailed:
    """The sink did not take this event this time; that may be the event's fault."""

    reason: str


@dataclass(frozen=True, slots=True)
class SinkUnavailable:
    """The sink takes nothing now, or it is unknown whether it took this event; the event is not at fault."""

    reason: str


DeliveryFailure = EventRefused | EventFailed | SinkUnavailable


class EventSink(Protocol):
    """Takes events. The same event may come again, with the same `meta.id`."""

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        """Deliver *events*, those of one page in their order. Never raises.

        Returns what became of those that were not delivered, by their place in *events*. If an event was not taken, no
        later one of its page was sent.
        """

    def close(self) -> None:
        """Close files and connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkKind:
    """A kind of sink: what it is called, how it is set, which lane it gets, and how it is opened."""

    #: In the settings, as `[sinks.NAME]`, and in the ledger.
    name: str
    section: type[SinkSection]
    lane: Lane
    #: Makes the sink from its section, the User-Agent for requests, their routes, and the loop to send them in; does
    #: not connect yet.
    open: Callable[[Any, str, HttpRoutes, HttpLoop], EventSink]
    #: Events that are claimed at once, if `outbox.batch_size` is not fewer.
    most_at_once: int = 2000


def rounds(events: Sequence[OutgoingEvent]) -> list[list[int]]:
    """The places of *events* in as few groups as possible, in order; no group has two events of one page and stream.

    For a sink that takes the events of a request in any order.
    """
    groups: list[list[int]] = []
    seen: dict[tuple[str, str, int | str], int] = {}
    for place, event in enumerate(events):
        number = seen.get(event.line, 0)
        seen[event.line] = number + 1
        if number == len(groups):
            groups.append([])
        groups[number].append(place)
    return groups


def all_unavailable(events: Sequence[OutgoingEvent], reason: str) -> dict[int, DeliveryFailure]:
    """The same failure for all *events*: the sink took none of them, for that *reason*."""
    return dict.fromkeys(range(len(events)), SinkUnavailable(reason))
