"""How much of this process one thing may hold: places with endpoints and sinks, and turns that compute at once.

Counted in this process' memory only: counts that several processes keep together leak when one of them dies.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class Bulkheads:
    """Places with resources, by name; at most *places* for each, so that one which hangs leaves room for the others."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, resources: Collection[str]) -> Iterator[bool]:
        """Hold a place with each of *resources*; yields False, and holds none, where one of them has none left."""
        with self._lock:
            has_place = all(self._taken[name] < self._places for name in resources)
            if has_place:
                self._taken.update(resources)
        try:
            yield has_place
        finally:
            if has_place:
                with self._lock:
                    self._taken.subtract(resources)

    def taken(self) -> dict[str, int]:
        """How many places are taken, by resource."""
        with self._lock:
            return {name: count for name, count in self._taken.items() if count}


class Computing:
    """Turns that compute at this moment; the others wait for their turn at the interpreter, or for an answer.

    More threads than this at once only wait for the interpreter's lock, and a third of the work is lost to that.
    """

    def __init__(self, most: int) -> None:
        self._room = threading.BoundedSemaphore(most)
        self._here = threading.local()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Compute, as soon as there is room."""
        with self._room:
            self._here.computes = True
            try:
                yield
            finally:
                self._here.computes = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let another turn compute while that of this thread, if it takes one, waits for others."""
        computes = getattr(self._here, "computes", False)
        if computes:
            self._here.computes = False
            self._room.release()
        try:
            yield
        finally:
            if computes:
                self._room.acquire()
                self._here.computes = True
