"""How the emulated scoring endpoint behaves: which calls it admits, how long they take and which of them fail."""

import asyncio
import itertools
import random
import time
from contextlib import suppress

from worker.emulators.scoring.call_log import LoggedCall
from worker.emulators.scoring.questions import ErrorReply
from worker.emulators.scoring.settings import EmulatorSettings, Throttle
from worker.emulators.scoring.shapes import ores_error

#: Source: the texts of Wikimedia's edge, operations/puppet modules/varnish.
WHO_ARE_YOU = "Please set a user-agent and respect our robot policy https://w.wiki/4wJS.\n"


class TokenBucket:
    """Admits a burst of calls, then as many as the rate allows; the caller passes the time, in seconds."""

    def __init__(self, throttle: Throttle) -> None:
        self._rate = throttle.requests_per_second
        self._burst = throttle.burst
        self._tokens = float(throttle.burst)
        self._counted_at: float | None = None

    def take(self, now: float) -> bool:
        """Return whether a call at *now* is admitted."""
        if self._rate is None:
            return True
        since = 0.0 if self._counted_at is None else now - self._counted_at
        self._tokens = min(self._burst, self._tokens + since * self._rate)
        self._counted_at = now
        # With floats, three times a third of a second is slightly less than a second.
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


class Behaviour:
    """The settings in force and what follows from them over several calls."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._numbers = itertools.count(1)
        self._bucket = TokenBucket(settings.throttle)
        self._changed = asyncio.Event()
        self.settings = settings
        self.apply(settings)

    def apply(self, settings: EmulatorSettings) -> None:
        """Use *settings* from now on; failures and replicas are drawn again, a changed throttle has a full bucket."""
        if settings.throttle != self.settings.throttle:
            self._bucket = TokenBucket(settings.throttle)
        self.settings = settings
        self._changed.set()
        self._changed = asyncio.Event()
        # One generator each, so that switching jitter on does not move the failures to other calls.
        self._failure_chance = random.Random(settings.seed)  # noqa: S311 - must be reproducible
        self._jitter_chance = random.Random(settings.seed)  # noqa: S311
        # A seed of its own: otherwise all failures would fall on calls of one version.
        self._replicas = random.Random(f"{settings.seed}|replicas")  # noqa: S311

    def settings_of_call(self) -> EmulatorSettings:
        """Return the settings to answer the next call by."""
        return self.settings.of_call(next(self._numbers), self._replicas.random())

    def let_in(self, call: LoggedCall) -> None:
        """Raise ErrorReply as Wikimedia's edge does, for a client with no User-Agent or with a refused one."""
        agent = call.user_agent or ""
        if not agent or any(refused in agent for refused in self.settings.refused_agents):
            raise ErrorReply(403, WHO_ARE_YOU)

    def admit(self, call: LoggedCall, in_flight: int) -> None:
        """Admit a scoring call; over the set rate or capacity, note that in the call and raise ErrorReply."""
        if not self._bucket.take(time.monotonic()):
            call.refused = "throttled"
            raise _error_reply(call.kind, 429, "More requests than allowed.", self.settings.throttle.retry_after)
        if self.settings.capacity is not None and in_flight >= self.settings.capacity:
            call.refused = "over_capacity"
            raise _error_reply(call.kind, 503, "More calls in flight than there is capacity for.")

    async def delay_or_fail(self, call: LoggedCall) -> None:
        """Wait as long as *call* takes; raises ErrorReply if it is to fail."""
        trouble = self.settings.trouble_of(call.wiki, call.models)
        latency, failures = self.settings.latency_ms, self.settings.failures
        if trouble is not None:
            failures = trouble.failures or failures
            latency = latency if trouble.latency_ms is None else trouble.latency_ms
        fails = self._failure_chance.random() < failures.rate
        seconds = (latency + self.settings.latency_jitter_ms * self._jitter_chance.uniform(-1, 1)) / 1000
        if trouble is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        elif seconds > 0:
            await asyncio.sleep(seconds)
        if fails:
            message = "This failure was asked for in the settings of the emulator."
            raise _error_reply(call.kind, failures.status, message, failures.retry_after)


def _error_reply(kind: str, status: int, message: str, retry_after: str | None = None) -> ErrorReply:
    return ErrorReply(status, ores_error(status, message) if kind == "ores" else {"error": message}, retry_after)
