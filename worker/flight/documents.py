"""Documents that workers keep in Redis for the front door, besides scores: each under a name, and for a while.

The current versions of a wiki's models are such a document, and what an endpoint says of a model. Whoever asks needs no
database and no endpoint; what is not there yet is asked of the workers, and heard of on the channel of its name.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from redis import Redis, RedisError

from worker.domain.json_text import to_json

DOCUMENT_PREFIX = "ores-document:"
#: Seconds for which versions are kept; whoever changes one writes them again at once.
VERSIONS_SECONDS = 86_400.0
#: The same for wikis on which some model's version is not known yet.
INCOMPLETE_SECONDS = 5.0
#: Seconds for which it is kept that a document could not be made.
FAILED_SECONDS = 2.0
#: Seconds after which an unchanged document is written again, since Redis may have been emptied.
REPEAT_SECONDS = 10.0


class KeepsVersions(Protocol):
    """Keeps the versions of models for those who have no database."""

    def keep_versions(self, wiki: str, versions: Mapping[str, str], *, are_all: bool = True) -> None:
        """Keep the current *versions* of the models of *wiki*; some may be missing where they are not *are_all*."""


def document_key(name: str, prefix: str = "") -> str:
    """The key of the document of that *name*, which is also the channel on which it is announced."""
    return f"{prefix}{DOCUMENT_PREFIX}{name}"


def versions_name(wiki: str) -> str:
    """The name of the document with the current versions of the models of *wiki*."""
    return f"versions:{wiki}"


class Documents:
    """Keeps documents in one Redis; safe between threads. A failure only costs readers time."""

    def __init__(self, redis: Redis, *, prefix: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._prefix = prefix
        self._clock = clock
        #: Wiki to the versions that were kept last, and when.
        self._last: dict[str, tuple[Mapping[str, str], float]] = {}

    def keep_versions(self, wiki: str, versions: Mapping[str, str], *, are_all: bool = True) -> None:
        last, at = self._last.get(wiki, ({}, float("-inf")))
        if are_all and last == versions and self._clock() - at < REPEAT_SECONDS:
            return
        if are_all:
            self._last[wiki] = (dict(versions), self._clock())
        else:
            # Once the rest becomes known, it must be written at once.
            self._last.pop(wiki, None)
        self.keep(versions_name(wiki), dict(versions), seconds=VERSIONS_SECONDS if are_all else INCOMPLETE_SECONDS)

    def keep(self, name: str, document: Any, *, seconds: float) -> None:
        """Keep *document* under *name* for so many *seconds*, and wake those who wait for it."""
        self._keep(name, to_json(document), seconds)

    def keep_failure(self, name: str, document: Any = None) -> None:
        """Tell those who wait for *name* that it can't be made this time, by *document* in its place.

        A document that is there stays.
        """
        self._keep(name, to_json(document), FAILED_SECONDS, only_if_missing=True)

    def _keep(self, name: str, text: str, seconds: float, *, only_if_missing: bool = False) -> None:
        key = document_key(name, self._prefix)
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(key, text, px=round(seconds * 1000), nx=only_if_missing)
                pipeline.publish(key, "")
                pipeline.execute()
        except (RedisError, OSError):
            # Whoever waits asks again; so does whoever comes later.
            return
