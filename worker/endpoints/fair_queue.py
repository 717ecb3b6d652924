"""Items that wait, served in turn: branch by branch, and within a branch by its own branches. Pure.

With paths of kind, wiki and models, scores on demand and edits take turns, then the wikis of each, then the models of
each wiki; so a wiki with a backlog delays another by no more than its own turns.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Path = tuple[str, ...]


class FairQueue(Generic[Item]):
    """Items by path; all paths have the same length, at least one."""

    def __init__(self) -> None:
        #: In the order of their turns.
        self._branches: dict[str, FairQueue[Item] | deque[Item]] = {}

    def put(self, path: Sequence[str], item: Item) -> None:
        """Let *item* wait behind all others on the same *path*."""
        name, *rest = path
        if rest:
            branch = self._branches.setdefault(name, FairQueue())
            assert isinstance(branch, FairQueue)  # noqa: S101 - as long as the others
            branch.put(rest, item)
        else:
            leaf = self._branches.setdefault(name, deque())
            assert isinstance(leaf, deque)  # noqa: S101 - as long as the others
            leaf.append(item)

    def take(self, may: Callable[[Path], bool], *, above: Path = ()) -> Item | None:
        """Remove and return the next item among those for whose path *may* is true; None if there is none."""
        for name, branch in self._branches.items():
            path = (*above, name)
            if isinstance(branch, FairQueue):
                item = branch.take(may, above=path)
            else:
                item = branch.popleft() if may(path) else None
            if item is not None:
                del self._branches[name]
                if branch:
                    self._branches[name] = branch
                return item
        return None

    def paths(self, *, above: Path = ()) -> Iterator[Path]:
        """The paths on which something waits."""
        for name, branch in self._branches.items():
            if isinstance(branch, FairQueue):
                yield from branch.paths(above=(*above, name))
            else:
                yield (*above, name)

    def __len__(self) -> int:
        return sum(map(len, self._branches.values()))

    def __bool__(self) -> bool:
        return bool(self._branches)
