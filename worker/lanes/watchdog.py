"""Ends a process that makes no progress, and one that was asked to end and does not.

Python can't end a thread that hangs, and Celery waits for each without bound. So the whole process ends: it writes all
stacks into the log and releases its claims, and the supervisor starts it again.
"""

import faulthandler
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from worker.config.log_lines import STANDARD_ERROR
from worker.config.settings_sections import WorkerSettings
from worker.config.telemetry import log
from worker.domain.errors import ProcessEnding
from worker.lanes.held import Held
from worker.lanes.supervisor import ENDING, STUCK, Signals

#: Seconds for releasing the claims; after them the process ends without.
GIVE_BACK_SECONDS = 3.0
#: Seconds, added to those for a silent loop, after which an interpreter that does not even run this thread is ended.
MARGIN_SECONDS = 5.0


class Stuck(Exception):
    """The process makes no progress, perhaps because of a message that it holds."""


class Loop(Protocol):
    """The event loop whose heartbeat is watched."""

    def soon(self, work: Callable[[], object]) -> None:
        """Call *work* in the event loop, as soon as possible."""


class TurnsInProgress(Protocol):
    """The turns that run in this process, and the claims that they hold."""

    @property
    def held(self) -> Held: ...

    def release_all(self, error: Exception, seconds: float) -> int:
        """Release all claims that are held, because of *error*; returns how many messages that were."""


class Tasks:
    """The tasks that run in this process, by id: what each is, and since when it runs."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[float, str]] = {}

    def begin(self, id: str, what: str) -> None:  # noqa: A002 - what Celery calls it
        self._running[id] = (time.monotonic(), what)

    def end(self, id: str) -> None:  # noqa: A002
        self._running.pop(id, None)

    def older_than(self, seconds: float) -> list[str]:
        """The tasks that have run for longer, the oldest first."""
        until = time.monotonic() - seconds
        # A copy, since other threads add to it meanwhile.
        return [what for began, what in sorted(dict(self._running).values()) if began < until]


class Watchdog:
    """Watches one process, in a thread that waits only for time and signals."""

    def __init__(self, *, loop: Loop, turns: TurnsInProgress, tasks: Tasks, settings: WorkerSettings) -> None:
        self._loop = loop
        self._turns = turns
        self._tasks = tasks
        self._settings = settings
        self._interval = min(1.0, settings.silent_seconds / 10, settings.shutdown_seconds / 10)
        self._signals = Signals()
        self._ends_at: float | None = None
        self._beat_at = time.monotonic()
        self._beat_is_due = False
        self._reader, self._writer = socket.socketpair()

    def start(self) -> None:
        """Watch from now on. Called in the main thread, to which the signals come."""
        faulthandler.enable(STANDARD_ERROR)
        self._writer.setblocking(False)
        # So that signals arrive here even while their handlers wait for a thread that hangs.
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def ask_to_end(self) -> None:
        """Let no turn claim from now on, and end the process if it does not end by itself in time."""
        self._turns.held.close()
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._settings.shutdown_seconds

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            # An unwatched process may be stuck without anybody noticing.
            os._exit(STUCK)

    def _watch(self) -> NoReturn:
        while True:
            # The last resort: it needs no lock of the interpreter, which a thread may hold for ever.
            limit = self._settings.silent_seconds + MARGIN_SECONDS
            faulthandler.dump_traceback_later(limit, file=STANDARD_ERROR, exit=True)
            self._listen()
            if self._ends_at is None:
                self._look()
            elif self._signals.hurry or time.monotonic() >= self._ends_at:
                self._leave()

    def _listen(self) -> None:
        """Wait a short time for signals."""
        if not select.select([self._reader], [], [], self._interval)[0]:
            return
        self._signals.received += [number for number in self._reader.recv(4096) if number in ENDING]
        if self._signals.received:
            self.ask_to_end()

    def _look(self) -> None:
        silent = time.monotonic() - self._beat_at
        if silent > self._settings.silent_seconds:
            self._bite(f"its event loop ran nothing for {silent:.0f} s", "move what blocks it into a thread")
        if late := self._tasks.older_than(self._settings.turn_seconds):
            said = f"{', '.join(late)} ran for longer than worker.turn_seconds, {self._settings.turn_seconds:g}"
            self._bite(said, "find what it waits for, or raise that setting")
        if not self._beat_is_due:
            self._beat_is_due = True
            self._loop.soon(self._beat)

    def _beat(self) -> None:
        self._beat_at, self._beat_is_due = time.monotonic(), False

    def _bite(self, why: str, cure: str) -> NoReturn:
        """End a process that is stuck; an attempt is counted for the messages it holds, since one may be the cause."""
        self._turns.held.close()
        log.critical("process_stuck", why=why, cure=f"look at the stacks below; {cure}")
        self._end(STUCK, Stuck(f"the worker process was stuck: {why}"))

    def _leave(self) -> NoReturn:
        """End a process that was asked to end; no attempt is counted for the messages it holds."""
        waited = self._settings.shutdown_seconds
        log.warning("shutdown_cut_short", seconds=waited, tasks=self._tasks.older_than(0), cure="see the stacks below")
        self._end(0, ProcessEnding(f"the worker process was asked to end and did not within {waited:g} s"))

    def _end(self, code: int, error: Exception) -> NoReturn:
        try:
            messages = self._turns.release_all(error, GIVE_BACK_SECONDS)
            log.warning("claims_given_back", messages=messages)
            faulthandler.dump_traceback(STANDARD_ERROR, all_threads=True)
        finally:
            # Even if nobody reads the log any more. Not `sys.exit`: that would wait for the threads that hang.
            os._exit(code)
