"""Telling the workers that a wiki has work: best effort, and at most one unanswered ring for each wiki and lane.

A ring that is lost costs the time until the next poll, never an edit.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf

from kombu.exceptions import KombuError
from redis import Redis, RedisError

from worker.config.telemetry import log
from worker.domain.redis_refusals import cure, said
from worker.lanes.rings import MOST_WAITING, QUEUE_OF, TURN
from worker.lanes.standby import Standby
from worker.lanes.timer import Timer

#: Rings for a lane that come within so many seconds of each other let the turn rest for as long as it may.
BUSY_SECONDS = 0.4
#: The part of that which a turn rests if nobody rang in that time: little would come meanwhile, and somebody waits.
LONE_REST = 0.25
#: Seconds without rings after a failure, so that a Redis that does not answer does not delay a producer.
SILENT_SECONDS = 5


class Doorbell:
    """Rings by sending a Celery task by name."""

    def __init__(
        self,
        redis: Redis,
        send: Callable[..., None],
        *,
        unanswered_seconds: float,
        prompted_seconds: float = 60,
        rest_seconds: float = 0,
        prefix: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._clock = clock
        self._timer = Timer()
        self._standby: Standby | None = None
        #: Seconds between a ring for a turn and its task, so that the turn also serves what comes meanwhile.
        self._rest = rest_seconds
        #: Seconds in which upkeep is prompted at most once.
        self._prompted = prompted_seconds
        #: A ring that was not answered for this long counts as lost, and may be repeated. Milliseconds.
        self._unanswered = round(unanswered_seconds * 1000)
        #: Sends the task of that name with the arguments after it, the wiki first.
        self._send = send
        self._silent_until = 0.0
        self._is_full = False
        #: By wiki and lane: until when the task of a turn rests in this process, and when the turn was last asked for.
        self._rests_until: dict[Sequence[str], float] = {}
        self._rung_at: dict[Sequence[str], float] = {}

    @property
    def is_silent(self) -> bool:
        """Whether Redis did not answer the last ring."""
        return self._silent_until > 0

    def turn(self, wiki: str, lane: str, *, after: float | None = None) -> None:
        """Ask for a turn at *lane* of *wiki*, unless a ring for it is unanswered: in *after* seconds, or after a rest.

        The time is counted in this process, so no clocks of hosts have to agree. The rest is short if this is the first
        ring for that lane in a while, whichever process rang.
        """
        parts, now = (TURN, wiki, lane), self._clock()
        if after is not None:
            self._ring(after, *parts)
            return
        is_busy = now - self._rung_at.get(parts, -inf) < BUSY_SECONDS
        self._rung_at[parts] = now
        # A turn whose task is not even sent will serve this as well, and Redis need not be asked.
        if now >= self._rests_until.get(parts, -inf):
            self._try(self._rest, parts, partial(self._ring_with_rest, parts, is_busy=is_busy))

    def turn_again(self, wiki: str, lane: str, *, after: float) -> None:
        """Ask for a turn in *after* seconds; a ring that comes meanwhile is sent as well, and not held back by this."""
        if self._standby is not None and self._standby.is_needed:
            self._standby.ring(after, TURN, wiki, lane)
            return
        self.send_once(f"{TURN}:{wiki}:{lane}:again", partial(self.turn, wiki, lane, after=0), seconds=after)

    def ring(self, task: str, wiki: str, *rest: str, after: float = 0, lasts: float = 0) -> None:
        """Ask for *task* on *wiki*, with the *rest* of its arguments, unless a ring for it is unanswered.

        It is sent in *after* seconds, and counts as lost if it was not answered *lasts* seconds later.
        """
        self._ring(after, task, wiki, *rest, lasts=lasts)

    def stand_by(self, standby: Standby) -> None:
        """Give *standby* the rings that the broker can't deliver."""
        self._standby = standby

    def later(self, seconds: float, send: Callable[[], None]) -> None:
        """Call *send* in *seconds*; a failure costs those who asked only time."""

        def work() -> None:
            with suppress(RedisError, KombuError, OSError):
                send()

        self._timer.later(seconds, work)

    def close(self) -> None:
        """Send at once what was to be sent later."""
        self._rests_until.clear()
        self._timer.close()

    def _ring(self, after: float, *parts: str, lasts: float = 0) -> None:
        self._try(after, parts, partial(self._ring_if_wanted, after, parts, lasts))

    def _ring_if_wanted(self, after: float, parts: Sequence[str], lasts: float) -> None:
        if self._look(parts, after, lasts)[0]:
            self._send_in(after, parts)

    def _ring_with_rest(self, parts: Sequence[str], *, is_busy: bool) -> None:
        is_wanted, others_rang = self._look(parts, self._rest, rests=True)
        if is_wanted:
            rest = self._rest * (1 if is_busy or others_rang else LONE_REST)
            self._rests_until[parts] = self._clock() + rest
            self._send_in(rest, parts)

    def _send_in(self, seconds: float, parts: Sequence[str]) -> None:
        send = partial(self._send, *parts)
        if seconds:
            self._timer.later(seconds, partial(self._try, 0, parts, send))
        else:
            send()

    def _look(self, parts: Sequence[str], after: float, lasts: float = 0, *, rests: bool = False) -> tuple[bool, bool]:
        """Whether a ring for that is wanted; and, if its turn *rests*, whether somebody else rang a moment ago.

        It is wanted if none is unanswered, and its queue is not so full that nobody seems to read it.
        """
        queue = QUEUE_OF.get(parts[0], parts[0])
        unanswered = max(self._unanswered, round(lasts * 1000)) + round(after * 1000)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._key(*parts), b"1", nx=True, px=unanswered)
            pipeline.llen(self._prefix + queue)
            if rests:
                pipeline.set(self._key(*parts, "rung"), b"1", px=round(BUSY_SECONDS * 1000), get=True)
            is_first, waiting, *rung = pipeline.execute()
        is_full = waiting >= MOST_WAITING
        if is_full and not self._is_full:
            log.warning("queue_full", queue=queue, waiting=waiting, cure="start workers; what was not rung for is safe")
        self._is_full = is_full
        return bool(is_first) and not is_full, any(rung)

    def _try(self, after: float, parts: Sequence[str], work: Callable[[], None]) -> None:
        if self._standby is not None and self._standby.is_needed:
            self._standby.ring(after, *parts)
            return
        if self._clock() < self._silent_until:
            self._stand_in(after, parts)
            return
        try:
            work()
        except (RedisError, KombuError, OSError) as error:
            if not self.is_silent:
                log.warning("doorbell_silent", wiki=parts[1], task=parts[0], error=said(error), cure=cure(error))
            self._silent_until = self._clock() + SILENT_SECONDS
            self._stand_in(after, parts)
        else:
            self._silent_until = 0.0

    def _stand_in(self, after: float, parts: Sequence[str]) -> None:
        if self._standby is not None:
            self._standby.ring(after, *parts)

    def answer(self, task: str, wiki: str, *rest: str) -> None:
        """Say that *task* has begun; a ring after this one starts another task."""
        if self._standby is not None and self._standby.is_needed:
            # The ring did not come from there.
            return
        try:
            self._redis.delete(self._key(task, wiki, *rest))
        except (RedisError, OSError):
            # The key expires by itself.
            return

    def prompt(self, task: str, wiki: str) -> None:
        """Ring, but at most once in a while, however often this is called and answered."""
        if self.is_first(f"{task}:{wiki}:once", self._prompted):
            self.ring(task, wiki)

    def send_once(self, what: str, send: Callable[[], None], *, seconds: float) -> None:
        """Call *send* in *seconds*, once for all calls with the same *what* until then."""
        if self.is_first(what, seconds):
            self.later(seconds, send)

    def is_first(self, what: str, seconds: float) -> bool:
        """Whether this was not asked about *what* in the last *seconds*; False if Redis can't say."""
        try:
            return bool(self._redis.set(self._key(what), b"1", nx=True, px=round(seconds * 1000)))
        except (RedisError, OSError):
            return False

    def _key(self, *parts: str) -> str:
        return ":".join([f"{self._prefix}ores-doorbell", *parts])
