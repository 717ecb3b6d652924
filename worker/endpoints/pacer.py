"""Keeps one process' requests within the limits that all processes share, in an order that is fair to all wikis."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.endpoints.deadlines import Deadlines
from worker.endpoints.fair_queue import FairQueue, Path
from worker.endpoints.limits import LATE_SECONDS, LEAD_SECONDS, Grant, Report
from worker.lanes.bulkheads import leaves_room

#: Seconds between two exchanges while nothing is granted.
ASK_AGAIN_SECONDS = 0.04
#: A start that is due in this many seconds counts as due, and no wait is shorter: clocks are not more exact.
EARLY_SECONDS = 1e-6
#: Seconds to wait for the shared state before we go on alone.
SILENT_SECONDS = 0.25
#: Seconds between exchanges while requests wait.
FRESH_SECONDS = 1.0
#: Work is taken on for this many seconds at the present rate, less what already waits, but at least an eighth of it.
AHEAD_SECONDS = 4.0
#: The allowance as long as the rate is not known.
UNKNOWN_ALLOWANCE = 1_000

WIKI = "wiki "

_on_demand: ContextVar[bool] = ContextVar("on_demand", default=False)


@contextmanager
def on_demand() -> Iterator[None]:
    """Inside, requests are for somebody who waits for them, and queue beside those for edits."""
    token = _on_demand.set(True)
    try:
        yield
    finally:
        # The event loop of a thread has one context for everything that it runs.
        _on_demand.reset(token)


class Limits(Protocol):
    """The limits that a pacer asks. No method ever fails, and only the first may take long."""

    def together(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant | None: ...

    def alone(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant: ...

    def are_held_by_others(self) -> bool: ...


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for its turn."""

    path: Path
    turn: asyncio.Future[None]

    def fail(self, error: BaseException) -> None:
        if not self.turn.done():
            self.turn.set_exception(error)


class Pacer:
    """Lets requests start when the limits allow it.

    Used in one event loop, except `allowance`. Of the *wikis* that share the endpoint each leaves room for the others,
    whether or not they have asked for anything yet. Calls that wait for Redis run *in_thread*.
    """

    def __init__(
        self,
        endpoint: str,
        limits: Limits,
        *,
        patience: float,
        wikis: Iterable[str] = (),
        in_thread: Callable[[Callable[[], Grant | None]], Awaitable[Grant | None]] = asyncio.to_thread,
    ) -> None:
        self._endpoint = endpoint
        self._limits = limits
        #: Seconds after which a request that could not start is given up.
        self._patience = patience
        self._deadlines = Deadlines(patience)
        self._in_thread = in_thread
        self._queue: FairQueue[_Waiting] = FairQueue()
        #: Requests that wait, by wiki; requests under way, by wiki and by models.
        self._waiting: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._in_flight = 0
        #: The wikis and the models that requests may be for; one that is alone need not leave room for others.
        self._known: tuple[set[str], set[str]] = ({_wiki_group(wiki) for wiki in wikis}, set())
        self._report = Report()
        self._grant: Grant | None = None
        self._granted_at = self._ask_at = self._paused_until = 0.0
        #: The times of starts that were granted and not used yet.
        self._starts: deque[float] = deque()
        self._seconds_a_request, self._ended_at = LEAD_SECONDS, 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._asking: asyncio.Future[Grant | None] | None = None
        #: Set when something changed for which the pump may wait.
        self._news = asyncio.Event()

    def allowance(self, wiki: str) -> int:
        """How many requests for *wiki* it makes sense to prepare; 0 in a pause, and while others hold all places.

        Safe in any thread.
        """
        if self._limits.are_held_by_others():
            # What we claimed would wait for them.
            return 0
        grant, loop = self._grant, self._loop
        if grant is None or loop is None:
            return UNKNOWN_ALLOWANCE
        if self._paused_until > loop.time():
            return 0
        waiting = self._waiting.copy()
        ahead = max(1, int(grant.rate / grant.members * AHEAD_SECONDS / len({*waiting, wiki})))
        return max(1, ahead // 8, ahead - waiting[wiki])

    async def start(self, wiki: str, models: Iterable[str] = ()) -> None:
        """Wait until one more request may be sent; each that was started must be ended with the same arguments.

        Raises:
            EndpointUnavailable: it may not be sent now, and was not.
        """
        path, loop = _path(wiki, models), self.here()
        waiting = _Waiting(path, loop.create_future())
        self._queue.put(path, waiting)
        for known, group in zip(self._known, path[1:], strict=True):
            known.add(group)
        self._waiting[wiki] += 1
        self._wake()
        deadline = self._deadlines.begin(loop, partial(self._give_up, waiting))
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.cancelled():
                self._waits_no_more(waiting)
            elif waiting.turn.exception() is None:
                # It was allowed to start, and cancelled before it did.
                self._end_one(path)
            raise
        finally:
            deadline.end()

    def end(self, wiki: str, models: Iterable[str], report: Report) -> None:
        """Say that a request has ended, and how."""
        self._ended_at = self.here().time()
        if report.served:
            self._seconds_a_request += 0.2 * (report.seconds - self._seconds_a_request)
        self._report = self._report.plus(report)
        if report.throttled or report.pause:
            # This holds for us at once, and for the others as soon as they learn of it.
            self._starts.clear()
            self._paused_until = max(self._paused_until, self._ended_at + report.pause)
        self._end_one(_path(wiki, models))

    def tell(self, report: Report) -> None:
        """Let the others know of *report*."""
        self._report = self._report.plus(report)
        self._wake()

    def here(self) -> asyncio.AbstractEventLoop:
        """The loop of all requests. Python asks the system each time that it is asked for it, which adds up."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _end_one(self, path: Path) -> None:
        self._in_flight -= 1
        for group in path[1:]:
            _take_one(self._under_way, group)
        if not self._goes_on():
            self._news.set()
        if not self._in_flight or self._report.matters:
            self._wake()

    def _goes_on(self) -> bool:
        """Let the next request start in the place that has become free, if nothing has to be asked or told before.

        Returns whether the pump need not look, which would cost each request the waking of a task.
        """
        now = self.here().time()
        if self._paused_until > now or self._must_ask(now):
            return False
        return self._start_next(now) and bool(self._waiting)

    def _wake(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = self.here().create_task(self._let_start())
        self._news.set()

    async def _let_start(self) -> None:
        """While requests wait, let them start as granted; in the end give back the places that are not used."""
        loop = self.here()
        try:
            while self._waiting or self._has_to_tell():
                self._news.clear()
                if self._must_ask(loop.time()):
                    await self._exchange()
                if self._paused_until > loop.time():
                    self._refuse_all(self._paused_until - loop.time())
                    # Requests that were cancelled meanwhile must be removed before we see whether any waits.
                    await asyncio.sleep(0)
                elif self._waiting and not self._start_next(loop.time()):
                    due = loop.call_later(self._until_next(loop.time()), self._news.set)
                    try:
                        await self._news.wait()
                    finally:
                        due.cancel()
        except BaseException as error:
            # No request may be left waiting for a start that does not come.
            while (waiting := self._queue.take(lambda _: True)) is not None:
                self._waits_no_more(waiting)
                waiting.fail(error)
            raise

    def _has_to_tell(self) -> bool:
        return self._report.matters or (self._grant is not None and self._grant.places > self._in_flight)

    def _must_ask(self, now: float) -> bool:
        while self._starts and self._starts[0] < now - LATE_SECONDS:
            # It would add to what others were granted since.
            self._starts.popleft()
        if self._report.matters or not self._waiting or now - self._granted_at > FRESH_SECONDS:
            return True
        return not self._starts and now >= self._ask_at and self._soon_wanted(now) > 0

    def _soon_wanted(self, now: float) -> int:
        """How many of the waiting requests can start within the lead: there is room, or others will have ended."""
        waiting = self._waiting.total()
        if self._grant is None or not self._grant.places:
            return waiting
        free = self._grant.share - self._in_flight if any(map(self._has_room, self._queue.paths())) else 0
        seconds = max(self._seconds_a_request, now - self._ended_at)
        return min(waiting, max(0, free) + int(self._in_flight * LEAD_SECONDS / max(seconds, 1e-3)))

    def _has_room(self, path: Path) -> bool:
        """Whether one more request may be under way there, as far as our share goes, of which others need some."""
        free = (self._grant.share if self._grant else 0) - self._in_flight
        if free <= 0:
            return False
        (wikis, models), (_, wiki, of_models) = self._known, path
        leaves_wikis = len(wikis) < 2 or leaves_room(self._under_way[wiki], free)
        return leaves_wikis and (len(models) < 2 or leaves_room(self._under_way[of_models], free))

    def _start_next(self, now: float) -> bool:
        """Let the next request start, if a start is due and there is room; returns whether one did."""
        if not self._starts or self._starts[0] > now + EARLY_SECONDS:
            return False
        if self._grant is None or self._grant.places <= self._in_flight:
            return False
        while (waiting := self._queue.take(self._has_room)) is not None:
            if not waiting.turn.done():
                self._starts.popleft()
                self._in_flight += 1
                for group in waiting.path[1:]:
                    self._under_way[group] += 1
                self._waits_no_more(waiting)
                waiting.turn.set_result(None)
                return True
        return False

    def _until_next(self, now: float) -> float:
        """Seconds until there is something to do even if nothing changes."""
        if self._starts:
            due = self._starts[0] - now
            return due if due > EARLY_SECONDS else due + LATE_SECONDS + 1e-3
        if self._soon_wanted(now):
            return max(EARLY_SECONDS, self._ask_at - now)
        return self._granted_at + FRESH_SECONDS - now + 1e-3

    async def _exchange(self) -> None:
        loop = self.here()
        now, (report, self._report) = loop.time(), (self._report, Report())
        asks = {"in_flight": self._in_flight, "waiting": self._waiting.total(), "want": self._soon_wanted(now)}
        grant = None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._in_thread(partial(self._limits.together, report, **asks)))
            await asyncio.wait({self._asking}, timeout=SILENT_SECONDS)
            if self._asking.done():
                grant = self._asking.result()
            else:
                report = Report()
        grant = grant or self._limits.alone(report, **asks)
        self._take(grant if asks["waiting"] else replace(grant, starts=0, places=asks["in_flight"]), loop.time())

    def _take(self, grant: Grant, now: float) -> None:
        self._grant, self._granted_at = grant, now
        if grant.pause:
            self._paused_until = max(self._paused_until, now + grant.pause)
        self._starts.extend(now + max(0.0, grant.delay + number * grant.interval) for number in range(grant.starts))
        jitter = 0.5 + 0.5 * random.random()  # noqa: S311 - spreads the asking
        self._ask_at = now if grant.starts else now + max(ASK_AGAIN_SECONDS, grant.again) * jitter

    def _refuse_all(self, pause: float) -> None:
        while (waiting := self._queue.take(lambda _: True)) is not None:
            if not waiting.turn.done():
                self._waits_no_more(waiting)
                waiting.fail(self._not_now(f"nothing is sent there for {pause:.1f} s", pause))

    def _waits_no_more(self, waiting: _Waiting) -> None:
        _, wiki, _ = waiting.path
        _take_one(self._waiting, wiki.removeprefix(WIKI))

    def _give_up(self, waiting: _Waiting) -> None:
        if not waiting.turn.done():
            self._waits_no_more(waiting)
            waiting.fail(self._not_now(f"its turn did not come within {self._patience:g} s"))

    def _not_now(self, why: str, pause: float | None = None) -> EndpointUnavailable:
        return EndpointUnavailable(f"{self._endpoint}: {why}", Failure.THROTTLED, pause)


def _take_one(counts: Counter[str], name: str) -> None:
    """One less of *name*, which is forgotten at nought."""
    counts[name] -= 1
    if not counts[name]:
        del counts[name]


def _path(wiki: str, models: Iterable[str]) -> Path:
    """The queue in which a request waits, and the counts to which it belongs while under way."""
    return ("on demand" if _on_demand.get() else "edits", _wiki_group(wiki), f"models {'|'.join(models)}")


def _wiki_group(wiki: str) -> str:
    return f"{WIKI}{wiki}"
