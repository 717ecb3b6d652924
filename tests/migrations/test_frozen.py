"""What was migrated once stays: a migration takes nothing that it makes from the packages, which go on."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import ROOT, modules

#: The rule of whose a table is has to be today's; it makes nothing of a shape of its own.
MAY_CHANGE = {"outbox.ownership"}
LIBRARIES = {"alembic", "sqlalchemy", "pathlib", "typing"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield str(node.module)
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def thawed(tree: ast.AST) -> set[str]:
    return {name for name in imported(tree) if name.partition(".")[0] not in LIBRARIES} - MAY_CHANGE


def test_migrations_are_spelled_without_the_tables_of_today() -> None:
    found = {path: thawed(tree) for path, tree in modules("migrations") if path != "migrations/env.py"}

    assert len(found) == len(list((ROOT / "migrations" / "versions").glob("*.py"))) + 1 > 2
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("source", ["from outbox.tables import EDITS", "import worker.scores.tables"])
def test_a_migration_that_takes_a_table_of_today_is_noticed(source: str) -> None:
    assert thawed(ast.parse(source))
