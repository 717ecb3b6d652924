"""The rooms of the house and who imports whom, read from the code's own imports."""

import ast
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter

from tests.architecture.sources import ROOT, modules

#: Room to the rooms that it imports.
Imports = Mapping[str, Set[str]]

#: A row of the table of rooms in ARCHITECTURE.md: storey (empty: as above), path, what it is about.
ROW = re.compile(r"^\| ([a-z]*) *\| `(?:worker/)?(\w+)(/|\.py)` \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Described:
    """What ARCHITECTURE.md says about a room."""

    storey: str
    #: The beginning of what it is about, for the picture.
    caption: str
    #: Whether it is a module that stands in no room.
    is_loose: bool


def described() -> dict[str, Described]:
    """The rooms in the order of the table in ARCHITECTURE.md, with what it says about them."""
    found, storey = {}, ""
    for named, room, end, about in ROW.findall((ROOT / "ARCHITECTURE.md").read_text()):
        storey = named or storey
        caption = re.split("[:;,]", about)[0].replace("`", "")
        found[room] = Described(storey, caption, is_loose=end == ".py")
    return found


def room_of(path: str) -> str:
    """The room that a module stands in: a folder or a loose module of `worker/`, or the whole of another package."""
    package, *inside = path.removesuffix(".py").split("/")
    return inside[0] if package == "worker" and inside != ["__init__"] else package


@cache
def room_imports() -> Imports:
    """Every room of `outbox` and `worker`, with the other rooms that its modules import."""
    trees = dict(modules("outbox", "worker"))
    paths = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in trees}
    found: dict[str, set[str]] = {room_of(path): set() for path in trees}
    for path, tree in trees.items():
        for name in imported(tree):
            if name in paths:
                found[room_of(path)].add(room_of(paths[name]))
    # The package itself holds nothing, and stands in no room.
    del found["worker"]
    return {room: others - {room, "worker"} for room, others in found.items()}


def imported(tree: ast.AST) -> Iterator[str]:
    """The names that a module imports; of `from a import b` both `a` and `a.b`, which may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def without_detours(imports: Imports) -> set[tuple[str, str]]:
    """The arrows of *imports*, but for those whose end can be reached over other rooms, too.

    Raises:
        graphlib.CycleError: rooms import each other in a circle.
    """
    below: dict[str, set[str]] = {}
    for room in TopologicalSorter(imports).static_order():
        others = imports.get(room, set())
        below[room] = set(others).union(*(below[other] for other in others))
    return {
        (room, other)
        for room, others in imports.items()
        for other in others
        if not any(other in below[another] for another in others)
    }
