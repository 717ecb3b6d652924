"""The loop around every lane: claim, work, and hold on to what was claimed meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from outbox import Claim, Lane, claim, renew
from worker.config.wiki import Wiki

Ring = Callable[[], None]


async def drain(
    wiki: Wiki,
    lane: Lane,
    work: Callable[[Sequence[Claim]], Awaitable[bool]],
    appetite: Callable[[], int],
    *,
    until: float,
    more: Ring,
    claim: Callable[..., list[Claim]] = claim,
) -> bool:
    """Claim and *work* until nothing is ready, *work* says that it makes no sense to go on, or time is up."""
    lease = wiki.outbox.lease
    while size := appetite():
        claims = wiki.database.run(partial(claim, lane=lane, limit=size, lease=lease))
        if not claims:
            return False
        if len(claims) == size:
            more()
        if not await work(claims):
            return False
        if time.monotonic() >= until:
            return True
    return False


@asynccontextmanager
async def held(wiki: Wiki, lane: Lane, claims: Sequence[Claim]) -> AsyncIterator[None]:
    """Renew the lease of *claims* while the work on them goes on; one that is lost all the same is fenced off later."""
    lease = wiki.outbox.lease

    async def renewing() -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            await asyncio.to_thread(wiki.database.run, lambda session: renew(session, lane, claims, lease=lease))

    task = asyncio.create_task(renewing())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
