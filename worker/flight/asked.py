"""What the front door asked the workers for, and when: each thing once, for all who want it.

Sending belongs to all of them, so it goes on if the request that began it ends, and all hear how it ended.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from math import inf
from typing import TypeVar

What = TypeVar("What", bound=Hashable)

#: Seconds after which the workers are asked again: the message may have been with one that died.
ASK_AGAIN_SECONDS = 3.0
#: With more notes than this (or documents at the door), those that have lost their use are removed.
FEWEST_TO_TIDY = 5_000


class Asked:
    """Notes of what was asked for lately; used in one event loop. A note is taken back if nothing was sent."""

    def __init__(self) -> None:
        self._at: dict[object, float] = {}
        self._sending: dict[object, asyncio.Task[bool]] = {}

    def __contains__(self, what: object) -> bool:
        return what in self._at

    async def ask(self, what: Sequence[What], send: Callable[[Sequence[What]], Awaitable[bool]]) -> set[What]:
        """Have *send* send those of *what* that nobody asked for lately, and wait until all of *what* is sent.

        *send* returns whether there was room. Returns those for which there was none; raises what *send* raised.
        """
        new = [each for each in what if time.monotonic() - self._at.get(each, -inf) >= ASK_AGAIN_SECONDS]
        if new:
            self._begin(new, send)
        sending = {each: self._sending[each] for each in what if each in self._sending}
        if sending:
            # Whoever waits looks again meanwhile if a broker hangs.
            await asyncio.wait(set(sending.values()), timeout=ASK_AGAIN_SECONDS)
        return {each for each, its in sending.items() if its.done() and not its.result()}

    def forget(self, what: object) -> None:
        """Let *what* be asked for again."""
        self._at.pop(what, None)

    def again_in(self, what: object, seconds: float) -> None:
        """Let *what* be asked for again in so many *seconds*."""
        self._at[what] = time.monotonic() + seconds - ASK_AGAIN_SECONDS

    async def close(self) -> None:
        """Give up what is being sent."""
        sending = set(self._sending.values())
        for each in sending:
            each.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def _begin(self, new: Sequence[What], send: Callable[[Sequence[What]], Awaitable[bool]]) -> None:
        now = time.monotonic()
        if len(self._at) > FEWEST_TO_TIDY:
            self._at = {each: at for each, at in self._at.items() if now - at < ASK_AGAIN_SECONDS}
        # Before any waiting, so that others who come meanwhile need not ask, too.
        self._at |= dict.fromkeys(new, now)

        async def sent() -> bool:
            return await send(new)

        sending = asyncio.create_task(sent())
        self._sending |= dict.fromkeys(new, sending)
        sending.add_done_callback(partial(self._ended, new))

    def _ended(self, what: Sequence[object], sending: asyncio.Task[bool]) -> None:
        is_sent = not sending.cancelled() and sending.exception() is None and sending.result()
        for each in what:
            # It may have been sent once more since, by a broker that hangs.
            if self._sending.get(each) is sending:
                del self._sending[each]
                if not is_sent:
                    self.forget(each)
