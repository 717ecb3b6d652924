"""Whether the Redis of this process is there: one memory for all who can do without it, so that it is told once."""

import threading
import time
from collections.abc import Callable

from worker.config.telemetry import log

#: So long nobody knocks at a Redis that is gone: one at a host that drops packets would hold up every batch.
PAUSE_SECONDS = 2.0


class RedisState:
    """Gone or there; says so in the log when it changes, not each time it is noticed. Safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._is_gone = False
        self._not_before = 0.0

    @property
    def may_be_there(self) -> bool:
        """Whether it is worth trying."""
        return self._clock() >= self._not_before

    def is_gone(self, error: Exception) -> None:
        """Note that it did not answer."""
        with self._lock:
            is_news, self._is_gone = not self._is_gone, True
            self._not_before = self._clock() + PAUSE_SECONDS
        if is_news:
            log.warning(
                "redis_gone", error=str(error), effect="calls are shared through the databases until it is back"
            )

    def is_there(self) -> None:
        """Note that it answered."""
        with self._lock:
            # Within the pause it can only be an answer to what another thread asked before Redis went.
            is_news = self._is_gone and self.may_be_there
            if is_news:
                self._is_gone, self._not_before = False, 0.0
        if is_news:
            log.info("redis_back")
