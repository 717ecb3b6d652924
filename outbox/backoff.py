"""How long to wait before the next attempt. Pure."""

import random
from datetime import timedelta

FIRST = timedelta(seconds=2)
LONGEST = timedelta(minutes=10)


def backoff(attempt: int, *, first: timedelta = FIRST, longest: timedelta = LONGEST) -> timedelta:
    """Return the wait after failed attempt number *attempt* (1, 2, …): doubled each time, with full jitter.

    Never shorter than half of *first* and never longer than *longest*; the jitter spreads messages that failed at the
    same time.
    """
    ceiling = min(longest, first * 2.0 ** min(attempt - 1, 30))
    return max(first / 2, ceiling * random.random())  # noqa: S311 - spreads load, guards nothing
