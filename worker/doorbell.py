"""Telling the workers that a wiki has work: best effort, and at most one unanswered ring per wiki and lane.

A ring that is lost costs the time until the next poll, never an edit.
"""

from collections.abc import Callable

from kombu.exceptions import KombuError
from redis import Redis, RedisError

from worker.telemetry import log

#: A ring that nobody answered for so long is taken for lost, and may be repeated.
UNANSWERED_MILLISECONDS = 10_000


class Doorbell:
    """Rings by sending a Celery task by name."""

    def __init__(self, redis: Redis, send: Callable[[str, str], None]) -> None:
        self._redis = redis
        #: Sends the task of that name for that wiki.
        self._send = send
        self._is_silent = False

    def ring(self, task: str, wiki: str) -> None:
        """Ask for *task* on *wiki*, unless it was asked for already and nobody has come yet."""
        try:
            if self._redis.set(_key(task, wiki), b"1", nx=True, px=UNANSWERED_MILLISECONDS):
                self._send(task, wiki)
            self._is_silent = False
        except (RedisError, KombuError, OSError) as error:
            if not self._is_silent:
                log.warning("doorbell_silent", wiki=wiki, task=task, error=str(error))
            self._is_silent = True

    def answer(self, task: str, wiki: str) -> None:
        """Say that *task* has begun; a ring after this one is heard by somebody else."""
        try:
            self._redis.delete(_key(task, wiki))
        except (RedisError, OSError):
            # The key runs out by itself.
            return


def _key(task: str, wiki: str) -> str:
    return f"ores-doorbell:{task}:{wiki}"
