"""What a process holds at this moment, so that it can be given back when the process has to end."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from outbox import Claim, Lane
from worker.config.wiki import Wiki


class Held:
    """The claims on which turns of this process work; once closed, it takes no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count()
        self._held: dict[int, tuple[Wiki, Lane, Sequence[Claim]]] = {}
        self.is_closed = False

    @contextmanager
    def holding(self, wiki: Wiki, lane: Lane, claims: Sequence[Claim]) -> Iterator[None]:
        """Count *claims* as held while the context lasts."""
        with self._lock:
            number = next(self._numbers)
            self._held[number] = (wiki, lane, claims)
        try:
            yield
        finally:
            with self._lock:
                del self._held[number]

    def close(self) -> None:
        self.is_closed = True

    def all(self) -> list[tuple[Wiki, Lane, Sequence[Claim]]]:
        with self._lock:
            return list(self._held.values())
