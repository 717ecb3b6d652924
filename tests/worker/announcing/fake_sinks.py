"""Sinks that fail as they are told to, at the border of the process, and keep what they took."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.events.sinks import Mishap, OutgoingEvent, Untaken


def takes_all(_event: OutgoingEvent) -> Mishap | None:
    return None


@dataclass(slots=True)
class FakeSink:
    """As its contract says, sends no later event of a page of which one was not taken for no fault of its own."""

    #: What becomes of an event; can be changed at any time.
    fate: Callable[[OutgoingEvent], Mishap | None] = takes_all
    taken: list[OutgoingEvent] = field(default_factory=list)
    requests: int = 0

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, Mishap]:
        self.requests += 1
        mishaps: dict[int, Mishap] = {}
        held_back = set()
        for place, event in enumerate(events):
            page = (event.stream, event.wiki, event.page)
            mishap = Untaken("after one that was not taken") if page in held_back else self.fate(event)
            if mishap is None:
                self.taken.append(event)
                continue
            mishaps[place] = mishap
            if isinstance(mishap, Untaken):
                held_back.add(page)
        return mishaps

    def close(self) -> None:
        """Nothing is open."""

    @property
    def revisions(self) -> list[int]:
        return [event.revision for event in self.taken]
