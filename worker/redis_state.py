"""Whether the Redis of this process is there: one memory for all who can do without it, so that it is told once."""

import time
from collections.abc import Callable

from worker.telemetry import log

#: So long nobody knocks at a Redis that is gone: one at a host that drops packets would hold up every batch.
PAUSE_SECONDS = 2.0


class RedisState:
    """Gone or there; says so in the log when it changes, not each time it is noticed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_gone = False
        self._not_before = 0.0

    @property
    def may_be_there(self) -> bool:
        """Whether it is worth trying."""
        return self._clock() >= self._not_before

    def is_gone(self, error: Exception) -> None:
        """Note that it did not answer."""
        if not self._is_gone:
            log.warning(
                "redis_gone", error=str(error), effect="calls are shared through the databases until it is back"
            )
        self._is_gone, self._not_before = True, self._clock() + PAUSE_SECONDS

    def is_there(self) -> None:
        """Note that it answered."""
        if self._is_gone:
            log.info("redis_back")
        self._is_gone, self._not_before = False, 0.0
