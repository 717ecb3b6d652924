"""Holding one worker's requests to the limits that all workers share."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

from worker.config.telemetry import log
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.endpoints.limits import LATE_SECONDS, LEAD_SECONDS, OUTAGES_TO_OPEN, Grant, Report

#: Between two exchanges where nothing could be granted.
ASK_AGAIN_SECONDS = 0.03
#: What we were told of the endpoint counts for so long.
FRESH_SECONDS = 0.5
#: Work is taken on for so long at the present rate.
AHEAD_SECONDS = 5.0


class Limits(Protocol):
    """What a pacer asks; never fails."""

    def exchange(self, report: Report, *, in_flight: int, want: int) -> Grant: ...


class Pacer:
    """Lets requests start when the limits allow it. Belongs to the event loop in which it is first used."""

    def __init__(self, endpoint: str, limits: Limits, *, patience: float, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._limits = limits
        #: Seconds after which a request that may not start is given up.
        self._patience = patience
        self._clock = clock
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._in_flight = 0
        self._ended: asyncio.Event | None = None
        self._report = Report()
        self._seconds_a_request = LEAD_SECONDS
        self._grant: Grant | None = None
        self._granted_at = 0.0

    def allowance(self) -> int:
        """How many requests it makes sense to prepare: none while the circuit is open, one while it is half open."""
        grant = self._grant
        if grant is None or self._clock() - self._granted_at > FRESH_SECONDS:
            grant = self._exchange(0)
        if grant.pause:
            return 0
        return 1 if grant.is_half_open else max(1, int(grant.rate / grant.members * AHEAD_SECONDS))

    async def start(self) -> None:
        """Wait until one more request may be sent; each that was started must be ended.

        Raises:
            EndpointUnavailable: it may not be sent for now, and was not.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.append((waiting, loop.time() + self._patience))
        if self._pump is None or self._pump.done():
            self._ended = asyncio.Event()
            self._pump = loop.create_task(self._let_start(self._ended))
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                # Let start, and cancelled before it could.
                self._end_one()
            raise

    def end(self, failure: Failure | None, seconds: float, retry_after: float | None, error: str = "") -> None:
        """Say that a request has ended after so many *seconds*, and how; *error* is for operators."""
        report = self._report
        if failure is Failure.THROTTLED:
            report.throttled += 1
        elif failure in {Failure.OUTAGE, Failure.LATE, Failure.REFUSED}:
            report.outages += 1
            report.reason = error
            if failure is Failure.REFUSED:
                report.refused += 1
                report.refusal = error
        else:
            report.served += 1
            report.seconds += seconds
            self._seconds_a_request += 0.2 * (seconds - self._seconds_a_request)
        report.pause = max(report.pause, retry_after or 0.0)
        self._end_one()

    def end_untold(self, error: str) -> None:
        """Say that a request has ended in a way that tells little of the endpoint: it counts only if it was a probe."""
        if self._grant is not None and self._grant.is_half_open:
            self.end(Failure.OUTAGE, 0.0, None, error)
        else:
            self._end_one()

    def _end_one(self) -> None:
        self._in_flight -= 1
        if self._ended is not None:
            self._ended.set()
        if not self._waiting and (not self._in_flight or self._is_bad_news()):
            self._exchange(0)

    async def _let_start(self, ended: asyncio.Event) -> None:
        """While requests wait, let them start as granted."""
        try:
            while self._waiting:
                self._give_up_the_late()
                began = asyncio.get_running_loop().time()
                grant = self._exchange(min(len(self._waiting), self._soon_wanted()))
                if grant.pause:
                    self._give_up_all(grant.pause)
                elif grant.requests and grant.slots > self._in_flight:
                    await self._start_granted(grant, began, ended)
                elif grant.requests:
                    # No room for more: others want our slots, who would wait for ever if we filled up what ends.
                    await _wait(ended, LEAD_SECONDS)
                else:
                    await asyncio.sleep(ASK_AGAIN_SECONDS * (0.5 + random.random()))  # noqa: S311 - spreads the asking
                if grant.slots and self._in_flight >= grant.slots:
                    await _wait(ended, LEAD_SECONDS)
        except BaseException as error:
            # Nobody may be left waiting for a start that does not come.
            while self._waiting:
                _fail(self._waiting.popleft()[0], error)
            raise

    async def _start_granted(self, grant: Grant, began: float, ended: asyncio.Event) -> None:
        """Start what was granted in an exchange that *began* then, whenever within it the others' clock was read."""
        loop = asyncio.get_running_loop()
        granted_at = loop.time()
        for number in range(grant.requests):
            after = max(0.0, grant.delay + number * grant.interval)
            due, latest = granted_at + after, began + after + LATE_SECONDS
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            while self._in_flight >= grant.slots and await _wait(ended, latest - loop.time()):
                pass
            # What starts late would come together with what others were granted since; and bad news must be told first.
            is_late = loop.time() > latest
            if is_late or self._in_flight >= grant.slots or self._is_bad_news() or not self._start_one():
                return

    def _start_one(self) -> bool:
        while self._waiting:
            waiting, _ = self._waiting.popleft()
            if not waiting.done():
                self._in_flight += 1
                waiting.set_result(None)
                return True
        if not self._in_flight:
            # No end of a request will give the slots back.
            self._exchange(0)
        return False

    def _is_bad_news(self) -> bool:
        return bool(self._report.throttled or self._report.pause or self._report.outages >= OUTAGES_TO_OPEN)

    def _soon_wanted(self) -> int:
        """How many may start within the lead: twice the slots there are, and what requests under way will leave.

        Who asked for no more than what is free, just when his only request had ended, would stay at one slot for ever.
        """
        if not (self._grant and self._grant.slots):
            return len(self._waiting)
        free = max(1, 2 * self._grant.slots - self._in_flight)
        return free + int(self._in_flight * LEAD_SECONDS / max(self._seconds_a_request, 1e-3))

    def _exchange(self, want: int) -> Grant:
        report, self._report = self._report, Report()
        grant = self._limits.exchange(report, in_flight=self._in_flight, want=want)
        self._grant, self._granted_at = grant, self._clock()
        if grant.turn == "opened":
            log.warning(
                "circuit_opened",
                endpoint=self._endpoint,
                reason=grant.reason,
                effect="no edit is claimed until it serves again",
            )
        elif grant.turn == "closed":
            log.info("circuit_closed", endpoint=self._endpoint)
        return grant

    def _give_up_the_late(self) -> None:
        now = asyncio.get_running_loop().time()
        self._waiting = deque(each for each in self._waiting if not each[0].done())
        while self._waiting and self._waiting[0][1] <= now:
            self._refuse(self._waiting.popleft()[0], 0.0, f"its turn did not come within {self._patience:g} s")

    def _give_up_all(self, pause: float) -> None:
        while self._waiting:
            self._refuse(self._waiting.popleft()[0], pause, f"nothing is sent there for {pause:.1f} s")

    def _refuse(self, waiting: asyncio.Future[None], pause: float, why: str) -> None:
        _fail(waiting, EndpointUnavailable(f"{self._endpoint}: {why}", Failure.THROTTLED, pause or None))


def _fail(waiting: asyncio.Future[None], error: BaseException) -> None:
    if not waiting.done():
        waiting.set_exception(error)


async def _wait(ended: asyncio.Event, seconds: float) -> bool:
    """Wait no longer than *seconds* for the end of a request; returns whether one ended."""
    try:
        await asyncio.wait_for(ended.wait(), max(0.0, seconds))
    except TimeoutError:
        return False
    ended.clear()
    return True
