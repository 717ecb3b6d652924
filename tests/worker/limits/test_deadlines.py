"""Deadlines that share a timer: each comes at its own time, or never if it was ended before."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import accumulate
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.patience import PATIENCE_SECONDS
from worker.endpoints.deadlines import Deadline, Deadlines, Within


class Loop:
    """As much of a loop as is needed; its time passes only when it is told to, and its timers can be counted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> object:
        self.timers.append((when, callback, args))
        return self.timers[-1]

    def pass_until(self, now: float) -> None:
        while due := [timer for timer in self.timers if timer[0] <= now]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            first[1](*first[2])
        self.now = now


def as_loop(loop: Loop) -> asyncio.AbstractEventLoop:
    return cast("asyncio.AbstractEventLoop", loop)


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_a_deadline_comes_once_when_its_time_is_over(loop: Loop) -> None:
    came = list[str]()
    Deadlines(5).begin(as_loop(loop), lambda: came.append("first"))

    loop.pass_until(4.9)
    assert came == []
    loop.pass_until(20)
    assert came == ["first"]


def test_a_deadline_that_was_ended_does_not_come(loop: Loop) -> None:
    came = list[str]()
    Deadlines(5).begin(as_loop(loop), lambda: came.append("first")).end()

    loop.pass_until(20)

    assert came == []


def test_however_many_there_are_one_timer_is_set(loop: Loop) -> None:
    deadlines = Deadlines(5)
    for number in range(1000):
        loop.now = number / 1000
        deadlines.begin(as_loop(loop), lambda: None).end()
    open_ones = [deadlines.begin(as_loop(loop), lambda: None) for _ in range(10)]

    assert len(loop.timers) == 1
    assert len(deadlines._open) <= len(open_ones) + 1


#: Pauses and lengths are even and the deadline is odd, so that nothing happens at the same time.
EVEN = st.integers(0, 5).map(lambda number: 2 * number)


@given(st.lists(st.tuples(EVEN, EVEN | st.none()), max_size=30))
def test_each_comes_at_its_own_time_unless_it_was_ended_before(steps: list[tuple[int, int | None]]) -> None:
    """*steps* are the pauses before each, and how long after its beginning it is ended."""
    loop, deadlines, came = Loop(), Deadlines(5), dict[int, float]()
    begun = list(accumulate(pause for pause, _ in steps))
    ends = [(at + lasts, number) for number, (at, (_, lasts)) in enumerate(zip(begun, steps, strict=True)) if lasts]
    open_ones = dict[int, Deadline]()
    for moment in range(max(begun, default=0) + 20):
        loop.pass_until(moment)
        for number in (number for number, at in enumerate(begun) if at == moment):
            open_ones[number] = deadlines.begin(as_loop(loop), partial(_note, came, number, loop))
        for number in (number for end, number in ends if end == moment):
            open_ones[number].end()

    lengths = [lasts or 100 for _, lasts in steps]
    assert came == {number: at + 5 for number, at in enumerate(begun) if lengths[number] > 5}


def _note(came: dict[int, float], number: int, loop: Loop) -> None:
    came[number] = loop.now


def within(seconds: float, work: Callable[[], Coroutine[Any, Any, object]]) -> object:
    async def run() -> object:
        loop = asyncio.get_running_loop()
        with Within(Deadlines(seconds), loop):
            return await work()

    return asyncio.run(run())


async def hang() -> None:
    await asyncio.Event().wait()


async def be_quick() -> str:
    await asyncio.sleep(0)
    return "done"


async def fail() -> None:
    raise LookupError("by itself")


def test_work_that_hangs_ends_with_a_time_out() -> None:
    with pytest.raises(TimeoutError):
        within(0.01, hang)


def test_work_in_time_is_not_touched() -> None:
    assert within(PATIENCE_SECONDS, be_quick) == "done"


def test_an_error_of_its_own_passes() -> None:
    with pytest.raises(LookupError, match="by itself"):
        within(PATIENCE_SECONDS, fail)


def test_a_task_that_somebody_cancels_is_cancelled_and_not_late() -> None:
    async def run() -> None:
        async def work() -> None:
            with Within(Deadlines(PATIENCE_SECONDS), asyncio.get_running_loop()):
                await hang()

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_a_task_goes_on_after_its_time_out() -> None:
    async def run() -> tuple[object, int]:
        deadlines, loop = Deadlines(0.01), asyncio.get_running_loop()
        for _ in range(2):
            with pytest.raises(TimeoutError), Within(deadlines, loop):
                await hang()
        task = asyncio.current_task()
        assert task is not None
        return await be_quick(), task.cancelling()

    assert asyncio.run(run()) == ("done", 0)
