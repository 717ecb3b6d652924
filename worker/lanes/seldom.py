"""Logging the same thing seldom: what happens at every message gets one line a minute."""

import threading
import time
from collections.abc import Callable

AGAIN_SECONDS = 60.0
#: Names kept at most: they may come from outside, so there may be any number of them.
MOST_THINGS = 1_000


class Seldom:
    """Whether it is time to log a thing again, by its name. Safe between threads."""

    def __init__(self, seconds: float = AGAIN_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._logged_at: dict[str, float] = {}

    def is_time(self, thing: str) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._logged_at.get(thing, -self._seconds) < self._seconds:
                return False
            if len(self._logged_at) >= MOST_THINGS:
                self._logged_at.clear()
            self._logged_at[thing] = now
            return True
