"""How tasks run: an error ends with its task, and is logged in one line with its cure, not too often.

No exception leaves a task: after a SystemExit or CancelledError in a thread of Celery's pool the request stays active
for ever, and Celery writes a whole stack for every other error.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

import worker
from outbox.errors import DatabaseUnavailable, OutboxError, ServerGone
from outbox.server_errors import sentence_of
from worker.config.telemetry import REPEAT_SECONDS, log
from worker.domain.errors import WorkerError

#: Seconds for which a task that failed on a wiki rests; otherwise it would try the same and fail again and again.
REST_SECONDS = 5.0
LONGEST_MESSAGE = 500
#: Stands for the wiki in a task that is about all wikis.
ALL_WIKIS = "all"
_ROOT = Path(worker.__file__).resolve().parent.parent


class Troubles:
    """What went wrong lately in this process; logged only now and then for each task, wiki and kind of error."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logged_at: dict[tuple[str, ...], float] = {}
        #: How often it happened since without being logged.
        self._unlogged: dict[tuple[str, ...], int] = {}
        self._rests: dict[tuple[str, ...], float] = {}

    def log_error(self, task: str, wiki: str, error: BaseException) -> None:
        """Write a line about *error*, unless one was written a short time ago."""
        if isinstance(error, ServerGone):
            # The watch over that server logs it once, for all its wikis.
            return
        text, kind = described(error)
        key, now = (task, wiki, kind), self._clock()
        with self._lock:
            if now - self._logged_at.get(key, float("-inf")) < REPEAT_SECONDS:
                self._unlogged[key] = self._unlogged.get(key, 0) + 1
                return
            self._logged_at = {each: at for each, at in self._logged_at.items() if now - at < REPEAT_SECONDS}
            self._logged_at[key] = now
            repeated = self._unlogged.pop(key, 0)
        log.error("task_failed", task=task, wiki=wiki, error=text, **({"repeated": repeated} if repeated else {}))

    def rest(self, task: str, wiki: str) -> None:
        with self._lock:
            self._rests[task, wiki] = self._clock() + REST_SECONDS

    def is_resting(self, task: str, wiki: str) -> bool:
        """Whether that task failed on that wiki a moment ago."""
        with self._lock:
            until = self._rests.get((task, wiki))
            if until is None:
                return False
            if self._clock() < until:
                return True
            del self._rests[task, wiki]
            return False


_troubles = Troubles()


@contextmanager
def reported(task: str, wiki: str, *rest: str) -> Iterator[None]:
    """Log any error and drop it: the messages are where they were, and the next poll tries again."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - see the module
        name = ":".join([task, *rest])
        log_error(name, wiki, error)
        if not isinstance(error, DatabaseUnavailable):
            # An unavailable database has a circuit of its own, and its lanes are rung for as soon as it answers.
            _troubles.rest(name, wiki)


def log_error(task: str, wiki: str, error: BaseException) -> None:
    """Log that *task* on *wiki* failed with *error*; not again for a while if it is the same."""
    _troubles.log_error(task, wiki, error)


def is_resting(task: str, wiki: str, *rest: str) -> bool:
    """Whether it failed a moment ago in this process; the poll rings for it again."""
    return _troubles.is_resting(":".join([task, *rest]), wiki)


def described(error: BaseException) -> tuple[str, str]:
    """*error* in one line, and its kind: with its cure if that is known, else its type, text and place.

    The parameters of a statement are left out: one may be an editor's name or address.
    """
    kind = type(error).__name__
    if isinstance(error, OutboxError | WorkerError):
        return str(error), kind
    place = _place(error)
    sentence = sentence_of(error)
    if sentence is None and isinstance(error, ValidationError):
        problems = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False))
        sentence = f"{kind}: {error.title}: {'; '.join(problems)}"
    if sentence is None:
        sentence = f"{kind}: {' '.join(str(error).split())}"
    return f"{sentence[:LONGEST_MESSAGE]} (at {place})", f"{kind} {place}"


def _place(error: BaseException) -> str:
    """File and line in our code, or in any if none of ours took part."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(frame.filename) and frame.name != "reported"]
    if not (ours or frames):
        return "an unknown place"
    frame = (ours or list(frames))[-1]
    path = Path(frame.filename)
    shown = path.relative_to(_ROOT) if _is_ours(frame.filename) else path.name
    return f"{shown}:{frame.lineno}"


def _is_ours(file: str) -> bool:
    return any(Path(file).is_relative_to(_ROOT / package) for package in ("worker", "outbox"))
