"""Which events failed by themselves, and which because the sink knows their stream or their schema no more.

As with endpoints, an event is at fault only if others of its stream were delivered since it failed.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from worker.config.telemetry import log
from worker.events.sinks import DeliveryFailure, EventFailed, OutgoingEvent
from worker.lanes.seldom import Seldom

#: Seconds without any delivery after which no event of a stream is at fault.
COUNTS_SECONDS = 60.0
#: So many events of a stream that failed, and none that was delivered since, are worth a line.
SEVERAL = 2
#: Events remembered of each stream; a further one counts as failing for the first time.
MOST = 1_000


class UnknownStreams:
    """What one process knows of the streams of the sink of that *name*. Safe between threads."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._warnings = Seldom(clock=clock)
        #: Stream to the moment of its last delivery.
        self._delivered_at: dict[str, float] = {}
        #: Stream to the ids of events that failed since then, and of those that others of their stream passed.
        self._failed: dict[str, dict[str, None]] = {}
        self._passed: dict[str, dict[str, None]] = {}

    def learn(self, sent: Sequence[OutgoingEvent], failures: Mapping[int, DeliveryFailure]) -> set[int]:
        """Note what became of the events that were *sent*.

        Returns the places of those that failed and are not at fault, since the sink takes nothing of their stream.
        """
        failed = {place: failure for place, failure in failures.items() if isinstance(failure, EventFailed)}
        with self._lock:
            for place in failed:
                _remember(self._failed.setdefault(sent[place].stream, {}), [sent[place].id])
            for stream in {event.stream for place, event in enumerate(sent) if place not in failures}:
                self._delivered_at[stream] = self._clock()
                if stream in self._failed:
                    _remember(self._passed.setdefault(stream, {}), self._failed.pop(stream))
            innocent = {place for place in failed if not self._is_at_fault(sent[place])}
        for place in innocent:
            self._tell(sent[place].stream, failed[place])
        return innocent

    def _is_at_fault(self, event: OutgoingEvent) -> bool:
        delivered_at = self._delivered_at.get(event.stream)
        is_served = delivered_at is not None and self._clock() - delivered_at < COUNTS_SECONDS
        return is_served and event.id in self._passed.get(event.stream, {})

    def _tell(self, stream: str, failure: EventFailed) -> None:
        if len(self._failed.get(stream, ())) >= SEVERAL and self._warnings.is_time(stream):
            log.warning("stream_unavailable", sink=self._name, stream=stream, error=failure.reason)


def _remember(known: dict[str, None], ids: Iterable[str]) -> None:
    """Add *ids* to those that are *known*, and forget the oldest ones of too many."""
    known.update(dict.fromkeys(ids))
    for oldest in list(islice(known, max(0, len(known) - MOST))):
        del known[oldest]
