"""Calling functions later, in a thread that does nothing else: they must be quick."""

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count

from worker.config.telemetry import log


class Timer:
    """Calls functions after a while, by the monotonic clock of this process."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Call *work* in *seconds*; if this timer is closed, at once and in this thread."""
        with self._changed:
            if not self._closed:
                heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), work))
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="timer", daemon=True)
                    self._thread.start()
                self._changed.notify()
                return
        work()

    def close(self) -> None:
        """Call at once all functions that still wait, and end."""
        with self._changed:
            self._closed = True
            rest, self._due = self._due, []
            self._changed.notify()
        for _, _, work in sorted(rest):
            work()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - what comes after it must not wait for ever
                log.error("timer_failed", error=f"{type(error).__name__}: {error}")

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                seconds = self._due[0][0] - time.monotonic() if self._due else None
                if seconds is not None and seconds <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(seconds)
            return None
