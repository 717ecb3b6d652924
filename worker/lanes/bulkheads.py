"""How much of this process one thing may hold: places with endpoints and sinks, and turns that compute at once.

The counts are in this process' memory only: counts that processes share leak when one of them dies.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

#: Nobody holds more than this many times as many places as are left free.
SHARE = 7


def leaves_room(held: int, free: int) -> bool:
    """Whether a holder of *held* places may take one of the *free* ones, because enough is left for others.

    A single holder gets seven eighths, two get seven fifteenths each; a first one is never refused.
    """
    return not held or held < SHARE * (free - 1)


class Bulkheads:
    """Places by the names of resources; at most *places* for each, so that one that hangs leaves threads for others.

    The turns of one wiki never take all places of a resource: some are left for the other *wikis*, whether or not they
    have had a turn yet. Beyond one with each resource they are no more in all than they may be with one, however many
    of its resources hang.
    """

    def __init__(self, places: int, wikis: Iterable[str] = ()) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        #: Wikis that may have turns; a wiki that is the only one need not leave places for others.
        self._wikis = set(wikis)
        #: Places by resource and wiki; and turns by wiki, each of which may hold several.
        self._of_wiki: Counter[tuple[str, str]] = Counter()
        self._turns: Counter[str] = Counter()

    @contextmanager
    def place(self, resources: Collection[str], *, wiki: str) -> Iterator[bool]:
        """Hold a place with each of *resources* for a turn of *wiki*.

        Yields False, and holds none, if one of them has no place left for this wiki.
        """
        of_wiki = [(name, wiki) for name in resources]
        with self._lock:
            self._wikis.add(wiki)
            has_place = all(self._may_hold(name, wiki) for name in resources)
            if has_place:
                self._turns[wiki] += 1
                self._taken.update(resources)
                self._of_wiki.update(of_wiki)
        try:
            yield has_place
        finally:
            if has_place:
                with self._lock:
                    self._taken.subtract(resources)
                    self._of_wiki.subtract(of_wiki)
                    self._of_wiki = +self._of_wiki
                    self._turns[wiki] -= 1

    def taken(self) -> dict[str, int]:
        """How many places are taken, by resource."""
        with self._lock:
            return {name: count for name, count in self._taken.items() if count}

    def _may_hold(self, name: str, wiki: str) -> bool:
        """Whether *wiki* may have one more place of that resource; called with the lock held."""
        held, free, turns = self._of_wiki[name, wiki], self._places - self._taken[name], self._turns[wiki]
        if not held or len(self._wikis) == 1:
            return free > 0
        return leaves_room(held, free) and leaves_room(turns, self._places - turns)


class Computing:
    """The turns that compute at this moment; the others wait until one is done, or for an answer.

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
        """Let another turn compute while this thread's turn, if it has one, waits for an answer."""
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
