"""Waiting for what will come: it ends in failure when nothing has moved for long, however slow the machine is."""

import time
from collections.abc import Callable

#: Nothing that is under way stands still for so long, even on a machine that has much else to do.
PATIENCE_SECONDS = 120
LOOK_AGAIN_SECONDS = 0.02
#: How much longer than it looked it rests, for those it waits for need the processors.
REST = 8


class WaitedInVain(AssertionError):
    """Nothing moved any more, and what was waited for had not come."""


def until(
    condition: Callable[[], bool],
    what: str,
    *,
    progress: Callable[[], object] = lambda: None,
    meanwhile: Callable[[], None] = lambda: None,
    patience: float = PATIENCE_SECONDS,
    pause: float = LOOK_AGAIN_SECONDS,
) -> None:
    """Return once *condition* holds; every change of what *progress* returns gives it *patience* seconds more.

    It looks again after each *pause* of so many seconds, or longer where looking is dear, and after doing what is to be
    done *meanwhile*.

    Raises:
        WaitedInVain: it did not hold, and nothing had changed for so long.
    """
    moved_at, before = time.monotonic(), progress()
    while not _holds(condition, pause):
        meanwhile()
        now = time.monotonic()
        if now - moved_at <= patience:
            continue
        # Asked for only when time is up, for it may be dear.
        if (after := progress()) == before:
            raise WaitedInVain(f"waited in vain for {what}; nothing had moved for {patience:g} s")
        moved_at, before = now, after


def _holds(condition: Callable[[], bool], pause: float) -> bool:
    """Whether it does at this moment; if not, it comes back after a while, so that most of it is left to others."""
    before = time.thread_time()
    if condition():
        return True
    time.sleep(max(pause, REST * (time.thread_time() - before)))
    return False
