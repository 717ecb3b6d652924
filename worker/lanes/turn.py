"""A turn: claim one batch of one lane, work on it while its lease is renewed, and ring for what follows from it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from outbox import Claim, Lane, claim, claim_in_order, renew
from worker.config.wiki import Wiki
from worker.lanes.consumer import Consumer
from worker.lanes.rings import TURN, Bell


async def turn(wiki: Wiki, consumer: Consumer, bell: Bell, *, lease: timedelta) -> bool:
    """Serve the consumer's lane of *wiki* once; returns whether it makes sense to do so again at once.

    Rings for another turn before it works, where its claim came full, so that an idle worker joins in.
    """
    lane, size = consumer.lane, consumer.claim_size(wiki)
    if not size:
        return False
    take = claim_in_order if consumer.is_ordered else claim
    claims = wiki.database.run(partial(take, lane=lane, limit=size, lease=lease))
    if not claims:
        return False
    if len(claims) == size and not consumer.is_ordered:
        bell.ring(TURN, wiki.id, lane.name)
    async with held(wiki, lane, claims, lease):
        worked = await consumer.work(wiki, claims)
    for task in worked.prompts:
        bell.prompt(task, wiki.id)
    for promised in worked.promised:
        bell.ring(TURN, wiki.id, promised.name)
    return worked.goes_on


@asynccontextmanager
async def held(wiki: Wiki, lane: Lane, claims: Sequence[Claim], lease: timedelta) -> AsyncIterator[None]:
    """Renew the *lease* of *claims* while the work on them goes on; one that is lost all the same is fenced off."""

    async def renewing() -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            await asyncio.to_thread(wiki.database.run, partial(renew, lane=lane, claims=claims, lease=lease))

    task = asyncio.create_task(renewing())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
