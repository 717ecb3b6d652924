"""Deadlines that all are as long, so that they end in the order in which they begin: one timer serves them all.

Most are over long before they end. A timer of its own for each costs the loop two passes through the interpreter's
lock, which the threads of turns want at the same time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType


class Deadline:
    """One that has begun; `end` it when what it is for is done."""

    __slots__ = ("_call", "at")

    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self.at = at
        self._call: Callable[[], object] | None = call

    def end(self) -> None:
        """Forget what was to be called; once it was called this does nothing."""
        self._call = None

    @property
    def has_ended(self) -> bool:
        return self._call is None

    def come(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Deadlines:
    """Deadlines of so many *seconds*, in one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> Deadline:
        """Have *call* called in *loop* when the time is over, unless the deadline was ended before."""
        now = loop.time()
        while self._open and self._open[0].has_ended:
            self._open.popleft()
        deadline = Deadline(now + self._seconds, call)
        self._open.append(deadline)
        if self._timer is None:
            self._timer = loop.call_at(now + self._seconds, self._look, loop)
        return deadline

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._open and (self._open[0].has_ended or self._open[0].at <= loop.time()):
            self._open.popleft().come()
        if self._open:
            self._timer = loop.call_at(self._open[0].at, self._look, loop)


class Within:
    """`with Within(deadlines, loop):` what `asyncio.timeout` does: the task is cancelled at the deadline.

    Raises:
        TimeoutError: in place of that cancellation.
    """

    def __init__(self, deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        self._deadlines = deadlines
        self._loop = loop
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task, self._cancelling = task, task.cancelling()
        self._deadline = self._deadlines.begin(self._loop, self._come)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._deadline.end()
        # Somebody else may have cancelled it as well; then it goes on being cancelled.
        if self._is_over and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _come(self) -> None:
        self._is_over = True
        self._task.cancel()
