"""Telling the workers that a wiki has work: best effort, and at most one unanswered ring for each wiki and lane.

A ring that is lost costs the time until the next poll, never an edit.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from kombu.exceptions import KombuError
from redis import Redis, RedisError

from worker.config.telemetry import log
from worker.domain.redis_refusals import cure, said

#: After a failure nobody is rung for so long, so that a producer is not held up by a Redis that does not answer.
SILENT_SECONDS = 5


class Doorbell:
    """Rings by sending a Celery task by name."""

    def __init__(
        self, redis: Redis, send: Callable[..., None], *, unanswered_seconds: float, prompted_seconds: float = 60
    ) -> None:
        self._redis = redis
        #: Upkeep is prompted for at most once in so long.
        self._prompted = prompted_seconds
        #: A ring that nobody answered for so long is taken for lost, and may be repeated.
        self._unanswered = round(unanswered_seconds * 1000)
        #: Sends the task of that name with the arguments that follow, the wiki first.
        self._send = send
        self._silent_until = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether Redis did not answer the last ring."""
        return self._silent_until > 0

    def ring(self, task: str, wiki: str, *rest: str) -> None:
        """Ask for *task* on *wiki*, with the *rest* of its arguments, unless a ring for it is unanswered."""
        if time.monotonic() < self._silent_until:
            return
        try:
            if self._redis.set(_key(task, wiki, *rest), b"1", nx=True, px=self._unanswered):
                self._send(task, wiki, *rest)
        except (RedisError, KombuError, OSError) as error:
            if not self.is_silent:
                log.warning("doorbell_silent", wiki=wiki, task=task, error=said(error), cure=cure(error))
            self._silent_until = time.monotonic() + SILENT_SECONDS
        else:
            self._silent_until = 0.0

    def answer(self, task: str, wiki: str, *rest: str) -> None:
        """Say that *task* has begun; a ring after this one is heard by somebody else."""
        try:
            self._redis.delete(_key(task, wiki, *rest))
        except (RedisError, OSError):
            # The key runs out by itself.
            return

    def prompt(self, task: str, wiki: str) -> None:
        """Ring, but at most once in a while, however often this is called and answered."""
        if self.is_first(f"{task}:{wiki}:once", self._prompted):
            self.ring(task, wiki)

    def send_once(self, what: str, send: Callable[[], None], *, seconds: float) -> None:
        """Call *send*, but at most once in so many *seconds* for *what*; that it fails costs its askers time."""
        if self.is_first(what, seconds):
            with suppress(RedisError, KombuError, OSError):
                send()

    def is_first(self, what: str, seconds: float) -> bool:
        """Whether nobody has asked that of *what* in the last so many *seconds*; not, if that can't be told."""
        try:
            return bool(self._redis.set(_key(what), b"1", nx=True, px=round(seconds * 1000)))
        except (RedisError, OSError):
            return False


def _key(*parts: str) -> str:
    return ":".join(["ores-doorbell", *parts])
