"""Publishing: claim events in their order, send them to one sink, settle them, and note them in the ledger."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from outbox import Claim, Delivered, Lane, settle
from outbox.settings import OutboxSettings
from worker.config.telemetry import log, tell_batch
from worker.config.wiki import Wiki
from worker.events.ledger import keep
from worker.events.outcomes import delivery, in_page_order, read_events
from worker.events.sinks import EventSink, SinkUnavailable
from worker.lanes.consumer import Worked


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Sends the events of one lane to the sink that the lane is for, one batch of a wiki at a time."""

    lane: Lane
    #: Its name in the settings and in the ledger.
    name: str
    sink: EventSink
    settings: OutboxSettings
    is_ordered: bool = True

    def claim_size(self, wiki: Wiki) -> int:  # noqa: ARG002 - the same for every wiki
        return self.settings.batch_size

    async def work(self, wiki: Wiki, claims: Sequence[Claim]) -> Worked:
        """Send the claimed events, settle them, and keep those that the sink took in the ledger."""
        started, most = time.monotonic(), self.settings.max_attempts
        events, outcomes = read_events(claims, most)
        # Earlier revisions of a page first, even if the edits were settled in another order.
        ordered = in_page_order(events)
        failures = await asyncio.to_thread(self.sink.send, [events[claim] for claim in ordered])
        outcomes |= {claim: delivery(claim, failures.get(place), most) for place, claim in enumerate(ordered)}
        unavailable = next((failure for failure in failures.values() if isinstance(failure, SinkUnavailable)), None)
        if unavailable is not None:
            log.warning("sink_unavailable", wiki=wiki.id, sink=self.name, error=unavailable.reason, events=len(events))

        def finish(session: Session) -> frozenset[Claim]:
            kept = settle(session, self.lane, outcomes)
            delivered = [events[claim] for claim in ordered if claim in kept and isinstance(outcomes[claim], Delivered)]
            keep(session, self.name, delivered)
            return kept

        kept = wiki.database.run(finish)
        tell_batch("events_settled", wiki.id, outcomes, kept, started, sink=self.name)
        return Worked(goes_on=unavailable is None)
