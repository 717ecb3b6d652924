"""Whether this process takes tasks from Redis: Celery says when it begins and ends, and its thread is heard meanwhile.

A Redis that takes connections and answers nobody (stopped, or behind a firewall that drops packets) ends no connection.
Celery's thread then waits in one command after another, each with its own time-outs and repetitions, for minutes.
"""

import threading
import time
from collections.abc import Callable

from worker.config.telemetry import log

#: How often Celery's thread is to be heard, and after which silence it takes no tasks.
BEAT_SECONDS = 1.0
SILENT_SECONDS = 10.0


class CeleryWaits(Exception):
    """Celery's thread has not been heard for a while. Redis may be there all the same; who needs to know has to ask."""


class Consuming:
    """Safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: None: it takes no tasks.
        self._heard_at: float | None = None
        self._is_silent = False
        #: Called with the error of Redis, or with CeleryWaits, once this process takes no more tasks.
        self.lost: list[Callable[[Exception], None]] = []

    def heard(self) -> None:
        """Note that Celery's thread is alive, and that tasks come through it."""
        with self._lock:
            self._heard_at, was_silent, self._is_silent = self._clock(), self._is_silent, False
        if was_silent:
            log.info("celery_heard")

    def ended(self, error: Exception | None = None) -> None:
        """Note that it takes no more tasks; with *error*, since Redis is gone."""
        with self._lock:
            self._heard_at, self._is_silent = None, False
        if error is not None:
            self._tell(error)

    def goes_on(self) -> bool:
        """Whether this process takes tasks now; logs once that it does no more, if nobody else has."""
        heard_at = self._heard_at
        if heard_at is None:
            return False
        silent = self._clock() - heard_at
        if silent <= SILENT_SECONDS:
            return True
        with self._lock:
            is_news, self._is_silent = not self._is_silent, True
        if is_news:
            log.warning(
                "celery_silent",
                seconds=round(silent),
                effect="this process polls the wikis itself",
                cure="see whether Redis answers (redis-cli ping)",
            )
            self._tell(CeleryWaits())
        return False

    def _tell(self, error: Exception) -> None:
        for hear in self.lost:
            hear(error)


#: That of this process.
CONSUMING = Consuming()
