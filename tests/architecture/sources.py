"""The sources of the two packages as syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """The path, from the root of the repository, and the syntax tree of each module of *packages*."""
    for package in packages:
        yield from _modules(package)


@cache
def _modules(package: str) -> list[tuple[str, ast.Module]]:
    files = sorted((ROOT / package).rglob("*.py"))
    return [(str(file.relative_to(ROOT)), ast.parse(file.read_text())) for file in files]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))
