"""Items that wait, served in turn: branch by branch, and within a branch by its own branches. Pure.

With paths of kind, wiki and models, scores on demand and edits take turns, then the wikis of each, then the models of
each wiki. The next is always the one whose last turn was longest ago, so a wiki with a single request does not wait for
the next turns of all that have a backlog, only for those that are fairly before it.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")
Path = tuple[str, ...]


class _Line(deque[Item]):
    """What waits on one path."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def put(self, path: Path, item: Item, *, depth: int) -> None:  # noqa: ARG002 - as the queue's
        self.append(item)

    def take(self, may: Callable[[Path], bool]) -> Item | None:
        return self.popleft() if may(self._path) else None

    def paths(self) -> Iterator[Path]:
        yield self._path


class FairQueue(Generic[Item]):
    """Items by path; all paths have the same length, at least one."""

    def __init__(self) -> None:
        self._branches: dict[str, FairQueue[Item] | _Line[Item]] = {}
        self._numbers = count(1)
        #: When each had its last turn, since this was last empty.
        self._turns: dict[str, int] = {}
        #: The branches in the order of their turns, by the last one and by when they came.
        self._order: list[tuple[int, int, str]] = []

    def put(self, path: Path, item: Item, *, depth: int = 0) -> None:
        """Let *item* wait behind all others on the same *path*; *depth* is how many of its parts lead here."""
        name = path[depth]
        branch = self._branches.get(name)
        if branch is None:
            branch = self._branches[name] = FairQueue() if depth + 1 < len(path) else _Line(path)
            insort(self._order, (self._turns.get(name, 0), next(self._numbers), name))
        branch.put(path, item, depth=depth + 1)

    def take(self, may: Callable[[Path], bool]) -> Item | None:
        """Remove and return the next item among those for whose path *may* is true; None if there is none."""
        for place, (_, _, name) in enumerate(self._order):
            item = self._branches[name].take(may)
            if item is not None:
                self._had_its_turn(place, name)
                return item
        return None

    def paths(self) -> Iterator[Path]:
        """The paths on which something waits."""
        for branch in self._branches.values():
            yield from branch.paths()

    def _had_its_turn(self, place: int, name: str) -> None:
        del self._order[place]
        self._turns[name] = turn = next(self._numbers)
        if self._branches[name]:
            self._order.append((turn, turn, name))
            return
        del self._branches[name]
        if not self._branches:
            self._turns.clear()

    def __len__(self) -> int:
        return sum(map(len, self._branches.values()))

    def __bool__(self) -> bool:
        return bool(self._branches)
