"""What workers tell those who ask, beside scores: documents in Redis under a name, each for a while.

The current versions of a wiki's models are told so, and what an endpoint says of a model. Whoever asks needs no
database and no endpoint; what is not there yet is asked of the workers, and heard of on the channel of its name.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from redis import Redis, RedisError

from worker.flight.results import to_json

TOLD_PREFIX = "ores-told:"
#: Versions stay: who changes one tells so at once.
VERSIONS_SECONDS = 86_400.0
#: Of wikis on which some model's version is not known yet.
INCOMPLETE_SECONDS = 5.0
#: What a worker told and nobody changed is told again after so long, for somebody may have emptied Redis.
REPEAT_SECONDS = 10.0


class Tells(Protocol):
    """Tells what others may ask for."""

    def versions(self, wiki: str, versions: Mapping[str, str], *, are_all: bool = True) -> None:
        """Tell the current *versions* of the models of *wiki*; some may be missing where they are not *are_all*."""


def told_key(name: str, prefix: str = "") -> str:
    """The key of the document of that *name*, which is also the channel on which it is announced."""
    return f"{prefix}{TOLD_PREFIX}{name}"


def versions_name(wiki: str) -> str:
    return f"versions:{wiki}"


class Telling:
    """Tells through one Redis; safe between threads. That it fails costs those who ask some time."""

    def __init__(self, redis: Redis, *, prefix: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._prefix = prefix
        self._clock = clock
        #: Wiki to what was told of it last, and when.
        self._last: dict[str, tuple[Mapping[str, str], float]] = {}

    def versions(self, wiki: str, versions: Mapping[str, str], *, are_all: bool = True) -> None:
        last, at = self._last.get(wiki, ({}, float("-inf")))
        if are_all and last == versions and self._clock() - at < REPEAT_SECONDS:
            return
        if are_all:
            self._last[wiki] = (dict(versions), self._clock())
        else:
            # Where the rest becomes known, that has to be told at once.
            self._last.pop(wiki, None)
        self.tell(versions_name(wiki), dict(versions), seconds=VERSIONS_SECONDS if are_all else INCOMPLETE_SECONDS)

    def tell(self, name: str, document: Any, *, seconds: float) -> None:
        """Keep *document* under *name* for so many *seconds*, and wake those who wait for it."""
        key = told_key(name, self._prefix)
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(key, to_json(document), px=round(seconds * 1000))
                pipeline.publish(key, "")
                pipeline.execute()
        except (RedisError, OSError):
            # Whoever waits asks again; so does whoever comes later.
            return
