"""Where the workers keep what they know of an endpoint together: one key in Redis, exchanged by compare and set.

Without Redis each worker goes on with its share of the limits, as many workers as there were when it was last seen.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis import Redis, RedisCluster, RedisError

from worker.config.redis_state import RedisState
from worker.domain.errors import RedisUnavailable
from worker.endpoints.limits import Ceilings, Grant, Report, State, alarm, exchange

#: A state that nobody has touched for so long says nothing any more.
KEPT_MILLISECONDS = 600_000
TRIES = 20
#: The most workers seen in this time are those who may go on without Redis.
SEEN_SECONDS = 60.0
#: By how much the clock may go back, as it does when a replica takes over, before all that is to come is in doubt.
CLOCK_SECONDS = 1.0

_STATE = TypeAdapter(State)

LOAD = "local time = redis.call('TIME'); return {time[1], time[2], redis.call('GET', KEYS[1])}"

#: Arguments: the state that was loaded, the new one, milliseconds to keep it. Returns 1 unless somebody was faster.
SAVE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class SharedLimits:
    """The limits of one endpoint as one worker sees them."""

    def __init__(
        self,
        url: str,
        ceilings: Ceilings,
        member: str,
        redis: "Redis | RedisCluster",
        redis_state: RedisState,
        clock: Callable[[], float],
    ) -> None:
        self._ceilings = ceilings
        self._member = member
        self._key = f"ores-endpoint:{sha256(url.encode()).hexdigest()[:16]}"
        self._redis_state = redis_state
        self._clock = clock
        self._load: Any = redis.register_script(LOAD)
        self._save: Any = redis.register_script(SAVE)
        self._alone = State()
        self._members = 1
        self._seen_at = 0.0
        self._untold = Report()

    def exchange(self, report: Report, *, in_flight: int, want: int) -> Grant:
        """Tell what became of our requests, and be told what we may do; never fails."""
        report, self._untold = self._untold.plus(report), Report()
        if self._redis_state.may_be_there:
            try:
                grant = self._together(report, in_flight, want)
            except RedisError as error:
                self._redis_state.is_gone(error)
            else:
                self._redis_state.is_there()
                if grant.members >= self._members or self._clock() - self._seen_at > SEEN_SECONDS:
                    self._members, self._seen_at = grant.members, self._clock()
                return grant
        share = self._ceilings.divided_by(self._members)
        return exchange(self._alone, share, self._member, report, in_flight=in_flight, want=want, now=self._clock())

    def alarm(self) -> str | None:
        """What operators must know of the endpoint, as its workers told; None where nothing is wrong.

        Raises:
            RedisUnavailable: it can't be told.
        """
        try:
            state, now, _ = self._loaded()
        except RedisError as error:
            raise RedisUnavailable(
                f"Redis does not answer at redis_url: {error}; start it, or correct redis_url"
            ) from error
        return alarm(state, now)

    def _together(self, report: Report, in_flight: int, want: int) -> Grant:
        for _ in range(TRIES):
            state, now, before = self._loaded()
            if state.told_at > now + CLOCK_SECONDS:
                state = State()
            grant = exchange(state, self._ceilings, self._member, report, in_flight=in_flight, want=want, now=now)
            if self._save(keys=[self._key], args=[before or "", _STATE.dump_json(state), KEPT_MILLISECONDS]):
                return grant
        # Nothing was reserved: everybody else is being served, and we ask again in a moment.
        self._untold = report
        return Grant(slots=in_flight, rate=state.rate, members=max(self._members, len(state.members) + 1))

    def _loaded(self) -> tuple[State, float, bytes | None]:
        seconds, microseconds, before = self._load(keys=[self._key])
        return _decode(before), int(seconds) + int(microseconds) / 1e6, before


def _decode(text: bytes | None) -> State:
    try:
        return _STATE.validate_json(text or b"{}")
    except ValidationError:
        # Not ours, or of another release; it lasts only until we save.
        return State()
