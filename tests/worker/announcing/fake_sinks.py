"""Sinks that fail as they are told to, at the border of the process, and keep what they took."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.events.sinks import DeliveryFailure, OutgoingEvent, SinkUnavailable


def takes_all(_event: OutgoingEvent) -> DeliveryFailure | None:
    return None


@dataclass(slots=True)
class FakeSink:
    """As its contract says, sends no later event of a page of which one was not taken for no fault of its own."""

    #: What becomes of an event; can be changed at any time.
    fate: Callable[[OutgoingEvent], DeliveryFailure | None] = takes_all
    taken: list[OutgoingEvent] = field(default_factory=list)
    requests: int = 0

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        self.requests += 1
        failures: dict[int, DeliveryFailure] = {}
        held_back = set()
        for place, event in enumerate(events):
            page = (event.stream, event.wiki, event.page)
            failure = SinkUnavailable("after one that was not taken") if page in held_back else self.fate(event)
            if failure is None:
                self.taken.append(event)
                continue
            failures[place] = failure
            if isinstance(failure, SinkUnavailable):
                held_back.add(page)
        return failures

    def close(self) -> None:
        """Nothing is open."""

    @property
    def revisions(self) -> list[int]:
        return [event.revision for event in self.taken]
