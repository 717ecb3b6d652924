"""The state of an endpoint that all processes share: one key in Redis, changed by compare and set.

Without Redis each process goes on with an even share of the limits, and with no more than it held before until the
others must have noticed, too.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis import Redis, RedisCluster, RedisError

from worker.config.redis_state import RedisState
from worker.domain.errors import RedisUnavailable
from worker.endpoints.limits import LEAD_SECONDS, Ceilings, Grant, Report, State, alarm, exchange

#: Milliseconds after which a state that nobody changed no longer counts.
KEPT_MILLISECONDS = 600_000
TRIES = 20
#: Without Redis, the largest number of processes that was seen within this many seconds counts.
SEEN_SECONDS = 60.0
#: Seconds by which the clock may go back, as when a replica takes over, before the times in the state are not trusted.
CLOCK_SECONDS = 1.0

_STATE = TypeAdapter(State)

LOAD = "local time = redis.call('TIME'); return {time[1], time[2], redis.call('GET', KEYS[1])}"

#: Arguments: the state that was loaded, the new one, milliseconds to keep it. Returns 1 if nobody was faster.
SAVE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class SharedLimits:
    """The limits of one endpoint, for one process.

    Safe between threads. `together` waits for Redis, `alone` for nothing.
    """

    def __init__(
        self,
        url: str,
        ceilings: Ceilings,
        member: str,
        redis: "Redis | RedisCluster",
        redis_state: RedisState,
        clock: Callable[[], float],
        *,
        prefix: str = "",
    ) -> None:
        self._ceilings = ceilings
        self._member = member
        self._key = f"{prefix}ores-endpoint:{sha256(url.encode()).hexdigest()[:16]}"
        self._redis_state = redis_state
        self._clock = clock
        self._load: Any = redis.register_script(LOAD)
        self._save: Any = redis.register_script(SAVE)
        self._lock = threading.Lock()
        #: The largest number of processes seen at work at once, and when.
        self._seen, self._seen_at = 1, 0.0
        #: The last grant from the shared state.
        self._last: Grant | None = None
        self._last_at = 0.0
        #: The state for the time without Redis, and since when; None while Redis is there.
        self._alone: State | None = None
        self._alone_since = self._careful_until = 0.0
        self._untold = Report()

    def together(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant | None:
        """Report what became of our requests, and learn what we may do; None while Redis does not answer."""
        if not self._redis_state.may_try():
            return None
        try:
            grant = self._exchanged(report, in_flight, waiting, want)
        except RedisError as error:
            self._redis_state.is_gone(error)
            return None
        self._redis_state.is_there()
        with self._lock:
            now = self._clock()
            if grant.members >= self._seen or now - self._seen_at > SEEN_SECONDS:
                self._seen, self._seen_at = grant.members, now
            if self._alone is not None:
                # Others may still work without Redis, and one that was emptied does not know them.
                self._careful_until = now + self._ceilings.lease_seconds
            self._last, self._last_at, self._alone = grant, now, None
            if now < self._careful_until:
                most = self._share().concurrency
                grant = replace(grant, places=min(grant.places, most), share=min(grant.share, most))
        return grant

    def alone(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        """What we may do while the shared state can't be reached: as much as an even share of the limits allows."""
        with self._lock:
            now, share = self._clock(), self._share()
            if self._alone is None:
                since = self._redis_state.gone_since
                self._alone, self._alone_since = State(), now if since is None else since
                if self._last is not None:
                    # First what was sold from the shared state is used up.
                    self._alone.next_start = now + LEAD_SECONDS
                    self._alone.rate = self._last.rate * share.requests_per_second / self._ceilings.requests_per_second
                    self._alone.paused_until = now + self._last.pause
            ours = self._held(self._alone_since, now)
            if ours is not None:
                share = replace(share, concurrency=min(share.concurrency, ours))
            return exchange(
                self._alone, share, self._member, report, in_flight=in_flight, waiting=waiting, want=want, now=now
            )

    def are_held_by_others(self) -> bool:
        """Whether Redis is gone, and others may hold what they were granted for a while yet; asks nobody."""
        since = self._redis_state.gone_since
        with self._lock:
            return since is not None and self._held(since, self._clock()) == 0

    def _held(self, gone_since: float, now: float) -> int | None:
        """How many places are ours alone while others may hold what they were granted, even our share if we have not
        asked for long; None once nobody holds anything.
        """
        lease = self._ceilings.lease_seconds
        if self._last is None or now - gone_since >= lease:
            return None
        return self._last.places if gone_since - self._last_at < lease else 0

    def _share(self) -> Ceilings:
        return self._ceilings.divided_by(max(self._ceilings.processes, self._seen))

    def alarm(self) -> str | None:
        """What operators must know about the endpoint, as its processes reported; None if nothing is wrong.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        try:
            state, now, _ = self._loaded()
        except RedisError as error:
            raise RedisUnavailable(
                f"Redis does not answer at redis_url: {error}; start it, or correct redis_url"
            ) from error
        return alarm(state, now)

    def _exchanged(self, report: Report, in_flight: int, waiting: int, want: int) -> Grant:
        report, self._untold = self._untold.plus(report), Report()
        for _ in range(TRIES):
            state, now, before = self._loaded()
            if state.told_at > now + CLOCK_SECONDS:
                state = State()
            asks: dict[str, Any] = {"in_flight": in_flight, "waiting": waiting, "want": want, "now": now}
            grant = exchange(state, self._ceilings, self._member, report, **asks)
            if self._save(keys=[self._key], args=[before or "", _STATE.dump_json(state), KEPT_MILLISECONDS]):
                return grant
        # Nothing was sold to us, since the others were served; we ask again in a moment.
        self._untold = report
        return Grant(
            places=in_flight, share=in_flight, rate=state.rate, members=max(self._seen, len(state.members) + 1)
        )

    def _loaded(self) -> tuple[State, float, bytes | None]:
        seconds, microseconds, before = self._load(keys=[self._key])
        return _decode(before), int(seconds) + int(microseconds) / 1e6, before


def _decode(text: bytes | None) -> State:
    try:
        return _STATE.validate_json(text or b"{}")
    except ValidationError:
        # Not ours, or of another release; it lasts only until we save.
        return State()
