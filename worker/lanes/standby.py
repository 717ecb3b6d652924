"""What a worker process does without a broker: it polls, and runs tasks that are rung for, in threads of its own.

It begins when Redis is gone, or was never there, and ends as soon as tasks come from Redis again. Meanwhile the leases
of messages and scores, which then are all in the databases, keep processes from doing the same work.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from worker.config.telemetry import log
from worker.lanes.rings import POLL
from worker.lanes.timer import Timer

#: How often to look whether it is needed; then it polls at once.
LOOK_SECONDS = 1.0


class Standby:
    """Takes rings in place of the broker, at most one unanswered for the same thing. Safe between threads."""

    def __init__(
        self,
        run: Callable[..., object],
        is_needed: Callable[[], bool],
        *,
        threads: int,
        poll_seconds: float,
    ) -> None:
        #: Runs the task of that name with the arguments that follow.
        self._run = run
        self._is_needed = is_needed
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._unanswered: set[tuple[str, ...]] = set()
        self._timer = Timer()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="standby")
        self._closed = threading.Event()
        self._polling = threading.Thread(target=self._poll, name="own-poll", daemon=True)

    @property
    def is_needed(self) -> bool:
        """Whether this process gets no tasks from the broker at this moment."""
        return not self._closed.is_set() and self._is_needed()

    def start(self) -> None:
        """Start the thread that polls whenever that is needed."""
        self._polling.start()

    def ring(self, after: float, *parts: str) -> None:
        """Run the task of that name with the arguments that follow, in *after* seconds, unless it waits already."""
        with self._lock:
            if parts in self._unanswered or self._closed.is_set():
                return
            self._unanswered.add(parts)
        if after:
            self._timer.later(after, lambda: self._begin(parts))
        else:
            self._begin(parts)

    def close(self) -> None:
        """Start no more tasks; those that run go on. Waits for nobody, so that a signal handler may call it."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        # Last: the thread that polls then closes the timer, whose rings must find no thread any more.
        self._closed.set()

    def _poll(self) -> None:
        look = min(LOOK_SECONDS, self._poll_seconds)
        due = time.monotonic() + self._poll_seconds
        while not self._closed.wait(look):
            try:
                if not self.is_needed:
                    due = 0.0
                elif time.monotonic() >= due:
                    due = time.monotonic() + self._poll_seconds
                    self.ring(0, POLL)
            except Exception as error:  # noqa: BLE001 - without this thread nobody would poll any more
                log.error("task_failed", task=POLL, wiki="", error=f"{type(error).__name__}: {error}")
        self._timer.close()

    def _begin(self, parts: tuple[str, ...]) -> None:
        with suppress(RuntimeError):
            # The pool raises it once it is closed.
            self._threads.submit(self._answer, parts)

    def _answer(self, parts: tuple[str, ...]) -> None:
        with self._lock:
            self._unanswered.discard(parts)
        try:
            self._run(*parts)
        except Exception as error:  # noqa: BLE001 - it ends that turn and no other
            log.error("task_failed", task=parts[0], wiki=":".join(parts[1:]), error=f"{type(error).__name__}: {error}")
