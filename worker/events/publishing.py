"""Publishing: claim events in their order, send them to one sink, settle them, and note them in the ledger."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from outbox import Claim, Delivered, Lane, settle
from outbox.settings import OutboxSettings
from worker.config.telemetry import log, tell_batch
from worker.config.wiki import Wiki
from worker.events.ledger import keep
from worker.events.outcomes import delivery, in_page_order, read_events, streams_out
from worker.events.sinks import DeliveryFailure, EventSink, OutgoingEvent, SinkUnavailable
from worker.lanes.bulkheads import Computing
from worker.lanes.circuits import Circuit
from worker.lanes.consumer import Worked

#: Seconds without any delivery after which a stream counts as one that the sink does not know.
STREAM_COUNTS_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Sends the events of one lane to the sink that the lane is for, one batch of a wiki at a time."""

    lane: Lane
    #: Its name in the settings and in the ledger.
    name: str
    sink: EventSink
    settings: OutboxSettings
    #: Events that are claimed at once.
    most_at_once: int
    #: Other turns may compute while this one waits for the sink.
    computing: Computing
    #: Open while the sink takes nothing from anybody.
    circuit: Circuit
    #: Stream to the moment of its last delivery, by the monotonic clock.
    delivered_at: dict[str, float] = field(default_factory=dict)
    is_ordered: bool = True

    def needs(self, wiki: Wiki) -> frozenset[str]:  # noqa: ARG002 - the same for every wiki
        return frozenset({f"sink {self.name}"})

    def claim_size(self, wiki: Wiki) -> int:  # noqa: ARG002 - the same for every wiki
        """Nothing while the sink takes nothing, but for a probe: the poll rings for what waits."""
        return min(self.settings.batch_size, self.most_at_once) if self.circuit.may_ask() else 0

    def nothing_claimed(self) -> None:
        self.circuit.not_asked()

    async def work(self, wiki: Wiki, claims: Sequence[Claim]) -> Worked:
        """Send the claimed events, settle them, and keep those that the sink took in the ledger."""
        started, most = time.monotonic(), self.settings.max_attempts
        events, outcomes = read_events(claims, most)
        # Earlier revisions of a page first, even if the edits were settled in another order.
        ordered = in_page_order(events)
        sent = [events[claim] for claim in ordered]
        with self.computing.waiting():
            failures = await asyncio.to_thread(self.sink.send, sent)
        unavailable = self._learn(wiki, sent, failures)
        out = self._streams_out(sent, failures)
        outcomes |= {
            claim: delivery(claim, failures.get(place), most, is_stream_out=events[claim].stream in out)
            for place, claim in enumerate(ordered)
        }

        def finish(connection: Connection) -> frozenset[Claim]:
            kept = settle(connection, self.lane, outcomes)
            delivered = [events[claim] for claim in ordered if claim in kept and isinstance(outcomes[claim], Delivered)]
            keep(connection, self.name, delivered)
            return kept

        kept = wiki.database.run(finish)
        tell_batch("events_settled", wiki.id, outcomes, kept, started, sink=self.name)
        return Worked(goes_on=not unavailable)

    def _learn(self, wiki: Wiki, sent: Sequence[OutgoingEvent], failures: Mapping[int, DeliveryFailure]) -> bool:
        """Open or close the circuit; returns whether the sink takes nothing."""
        unavailable = next((failure for failure in failures.values() if isinstance(failure, SinkUnavailable)), None)
        if unavailable is not None:
            log.warning("sink_unavailable", wiki=wiki.id, sink=self.name, error=unavailable.reason, events=len(sent))
            self.circuit.failed(unavailable.reason)
        else:
            self.circuit.served()
        return unavailable is not None

    def _streams_out(self, sent: Sequence[OutgoingEvent], failures: Mapping[int, DeliveryFailure]) -> set[str]:
        """The streams of which the sink takes nothing, now and for a while."""
        now = time.monotonic()
        out = streams_out(sent, failures)
        for place, event in enumerate(sent):
            if place not in failures:
                self.delivered_at[event.stream] = now
        lately = {stream for stream, at in self.delivered_at.items() if now - at < STREAM_COUNTS_SECONDS}
        for stream in out.keys() - lately:
            log.warning("stream_unavailable", sink=self.name, stream=stream, error=out[stream])
        return out.keys() - lately
