"""Whether a listener is woken by a hint, without a look at the clock: one that is not would wait for ever."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from threading import Event, Thread

from worker.domain.scores import ScoreId
from worker.flight.tiers import Tier

#: A hint that has not come by then is lost. Nothing waits as long where all is well.
LOST_SECONDS = 30


async def is_woken(tier: Tier, ids: Collection[ScoreId], happens: Callable[[], object]) -> bool:
    """Whether who listens for *ids* is woken by what *happens*."""
    async with tier.listening(ids) as listen:
        happens()
        return await _is_hinted(listen(LOST_SECONDS))


def is_woken_from_another_thread(tier: Tier, ids: Collection[ScoreId], happens: Callable[[], object]) -> bool:
    """The same where it *happens* in another thread than the listener's event loop."""
    listens, woken = Event(), Event()

    async def hear() -> None:
        async with tier.listening(ids) as listen:
            listens.set()
            if await _is_hinted(listen(LOST_SECONDS)):
                woken.set()

    listener = Thread(target=asyncio.run, args=[hear()])
    listener.start()
    listens.wait()
    happens()
    listener.join()
    return woken.is_set()


async def _is_hinted(listening: Awaitable[None]) -> bool:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await listening
    return loop.time() - started < LOST_SECONDS - 1
