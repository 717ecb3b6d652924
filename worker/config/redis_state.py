"""Whether Redis serves, as this process saw it last; shared by all parts that can do without it, so it is logged once.

A Redis that refuses to serve is treated as gone.
"""

import threading
import time
from collections.abc import Callable

from worker.config.telemetry import log
from worker.domain.redis_refusals import cure, is_refusal, said

#: Seconds before a Redis that is gone is tried again: a host that drops packets would hold up every batch.
PAUSE_SECONDS = 2.0
#: Seconds that one try may take, during which nobody else tries.
TRY_SECONDS = 15.0


class RedisState:
    """Whether Redis is there or gone; logs changes of that, or of the cure, not each failure. Safe between threads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        effect: str = "calls are shared through the databases until it is back",
    ) -> None:
        self._clock = clock
        self._effect = effect
        self._lock = threading.Lock()
        self._gone_since: float | None = None
        self._refused = False
        #: The cure that was logged last.
        self._cure = ""
        self._not_before = 0.0
        self._tried_until = 0.0

    @property
    def gone_since(self) -> float | None:
        """When it was found gone, by this clock; None while it is there."""
        return self._gone_since

    @property
    def may_be_there(self) -> bool:
        """Whether it is worth trying, as far as one sees who does not tell what came of it."""
        return self._clock() >= max(self._not_before, self._tried_until)

    def may_try(self) -> bool:
        """Whether to try it now, and then to tell what came of it: while it is gone, one at a time, after a pause.

        A Redis that takes connections and answers nobody lets each try wait for its time-out.
        """
        if self._gone_since is None:
            return True
        with self._lock:
            if not self.may_be_there:
                return False
            self._tried_until = self._clock() + TRY_SECONDS
            return True

    def is_gone(self, error: Exception) -> None:
        """Note that it did not answer, or refused."""
        what_helps = cure(error)
        with self._lock:
            is_news = self._gone_since is None or self._cure != what_helps
            if self._gone_since is None:
                self._gone_since = self._clock()
            self._cure = what_helps
            self._refused = self._refused or is_refusal(error)
            self._not_before, self._tried_until = self._clock() + PAUSE_SECONDS, 0.0
        if is_news:
            log.warning("redis_gone", error=said(error), cure=what_helps, effect=self._effect)

    def is_there(self, *, has_written: bool = True) -> None:
        """Note that it served. After a refusal only a write counts, since a replica lets us read."""
        with self._lock:
            # During the pause this can only be the answer to a command that another thread sent before Redis was gone.
            is_late = self._clock() < self._not_before
            is_news = self._gone_since is not None and not is_late and (has_written or not self._refused)
            if is_news:
                self._gone_since, self._refused, self._not_before = None, False, 0.0
            self._tried_until = 0.0
        if is_news:
            log.info("redis_back")
