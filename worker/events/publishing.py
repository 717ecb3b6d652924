"""The life of an event: claimed, sent to one sink, settled. The other half of `worker.scores.pipeline`."""

import asyncio
import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from outbox import EVENT_LANES, Claim, Delivered, claim_in_order, settle
from worker.config.telemetry import log, tell_batch
from worker.config.wiki import Wiki
from worker.events.ledger import keep
from worker.events.sinks import Untaken
from worker.lanes.turn import drain, held
from worker.scores.outcomes import delivery, in_page_order, read_events


async def publish_events(wiki: Wiki, sink: str, *, until: float) -> bool:
    """Send and settle the events that wait for that sink, in their order, until none is ready or it takes none.

    One publisher at a time: where another has claimed some, this one ends.
    """
    if sink not in wiki.sinks:
        # The settings had it when this was rung for; what waits for it is safe until they have it again.
        return False

    async def work(claims: Sequence[Claim]) -> bool:
        return await send_events(wiki, sink, claims)

    return await drain(
        wiki,
        EVENT_LANES[sink],
        work,
        lambda: wiki.outbox.batch_size,
        until=until,
        more=lambda: None,
        claim=claim_in_order,
    )


async def send_events(wiki: Wiki, sink: str, claims: Sequence[Claim]) -> bool:
    """Send the claimed events to that sink, settle them, and keep those that it took in the ledger.

    Returns whether it takes events at all.
    """
    started, lane, most = time.monotonic(), EVENT_LANES[sink], wiki.outbox.max_attempts
    events, outcomes = read_events(claims, most)
    # Of one page those of earlier revisions first, though the edits may have been settled in another order.
    ordered = in_page_order(events)
    async with held(wiki, lane, claims):
        mishaps = await asyncio.to_thread(wiki.sinks[sink].send, [events[claim] for claim in ordered])
    outcomes |= {claim: delivery(claim, mishaps.get(place), most) for place, claim in enumerate(ordered)}
    untaken = next((mishap for mishap in mishaps.values() if isinstance(mishap, Untaken)), None)
    if untaken is not None:
        log.warning("sink_unavailable", wiki=wiki.id, sink=sink, error=untaken.reason, events=len(events))

    def finish(session: Session) -> frozenset[Claim]:
        kept = settle(session, lane, outcomes)
        delivered = [events[claim] for claim in ordered if claim in kept and isinstance(outcomes[claim], Delivered)]
        keep(session, sink, delivered)
        return kept

    kept = wiki.database.run(finish)
    tell_batch("events_settled", wiki.id, outcomes, kept, started, sink=sink)
    return untaken is None
