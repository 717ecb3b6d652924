"""Rules that are not about imports: who reads the environment, names of log events, paths in the documents."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, calls, modules
from worker.config.telemetry import EVENTS

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
DOCUMENTS = ("README.md", "ARCHITECTURE.md")
#: `worker/scores/pipeline.py` and `migrations/` in the text, and where a link leads unless it leads elsewhere.
PATH_IN_TEXT = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.\w+)?)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")


def reads_environment(tree: ast.AST) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os" and node.attr in ENVIRONMENT)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and ENVIRONMENT & {name.name for name in node.names}
        )
        for node in ast.walk(tree)
    )


def logged(tree: ast.AST) -> Iterator[str]:
    """The names of log events in a module: of `log.info("name", …)` and of `tell_batch("name", …)`.

    A name that is no literal comes back as source; only `tell_batch` itself may hand on one that it was given.
    """
    for call in calls(tree):
        function = ast.unparse(call.func)
        if function == "tell_batch" or re.fullmatch(r"log\.(debug|info|warning|error|critical|exception)", function):
            name = call.args[0]
            yield str(name.value) if isinstance(name, ast.Constant) else ast.unparse(name)


def paths_in(text: str) -> set[str]:
    return {match for pattern in (PATH_IN_TEXT, LINK) for match in pattern.findall(text)}


def test_only_the_settings_read_the_environment() -> None:
    readers = [path for path, tree in modules("outbox", "worker") if reads_environment(tree)]

    assert readers == ["worker/settings.py"]


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['HOME']", "import os\nos.getenv('HOME')", "from os import environ"]
)
def test_a_reader_of_the_environment_is_noticed(source: str) -> None:
    assert reads_environment(ast.parse(source))


def test_every_engine_hides_parameters_which_may_be_an_editors_name_or_address() -> None:
    made = [
        (path, {word.arg: ast.unparse(word.value) for word in call.keywords}.get("hide_parameters"))
        for path, tree in modules("outbox", "worker", "migrations")
        for call in calls(tree)
        if ast.unparse(call.func).rpartition(".")[2] in {"create_engine", "create_async_engine", "engine_from_config"}
    ]

    assert made == [("outbox/server.py", "True")] * 2


def test_every_log_event_is_declared() -> None:
    names = {(path, name) for path, tree in modules("worker") for name in logged(tree)}

    assert {(path, name) for path, name in names if name not in EVENTS} == {("worker/config/telemetry.py", "event")}


def test_every_declared_log_event_is_written_somewhere() -> None:
    assert set(EVENTS) - {name for _, tree in modules("worker") for name in logged(tree)} == set()


def test_the_outbox_logs_nothing_since_it_can_not_know_where_to() -> None:
    names = {
        alias.name
        for _, tree in modules("outbox")
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert names & {"logging", "structlog"} == set()


def test_nothing_reads_tags_since_those_of_mw_private_are_not_for_everybody() -> None:
    readers = [path for path, tree in modules("outbox", "worker", "migrations") if "change_tag" in ast.unparse(tree)]

    assert readers == []
    assert "change_tag" not in (ROOT / "docs/admin-sql.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_is_there(document: str) -> None:
    named = paths_in((ROOT / document).read_text())

    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_paths_are_found_in_text_and_in_links() -> None:
    text = "See `worker/app.py`, `migrations/`, [this](docs/line.svg), [that](https://x.org/a.py), `a / b`, `n/a`."

    assert paths_in(text) == {"worker/app.py", "migrations/", "docs/line.svg"}


def test_every_module_says_in_its_first_line_what_it_is_for() -> None:
    silent = [
        path
        for path, tree in modules("outbox", "worker", "migrations", "tests")
        if tree.body and not ast.get_docstring(tree)
    ]

    assert silent == []


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The classes and functions of a module, without methods and without what begins with an underscore."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[0] != "_":
            yield node


def other_types(tree: ast.Module) -> Iterator[str]:
    """Names that a module gives to types of others, such as `Answer = Score | NoAnswer`; a TypeVar is its own only."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and not ast.unparse(node.value).startswith("TypeVar("):
            yield from (
                ast.unparse(name) for name in node.targets if re.fullmatch("[A-Z]+[a-z]\\w*", ast.unparse(name))
            )


def named_twice(trees: Iterable[tuple[str, ast.Module]]) -> dict[str, list[str]]:
    """Types and public functions whose name stands in several modules, with these.

    What is the same thing in several rooms has the same name in modules of the same name, such as `make_app` in each
    `endpoint.py`. A command's function is called as its command, so those of `worker/cli/` do not count.
    """
    found: dict[str, list[str]] = {}
    for path, tree in trees:
        if not path.startswith("worker/cli/"):
            for name in [*(node.name for node in public(tree)), *other_types(tree)]:
                found.setdefault(name, []).append(path)
    return {name: paths for name, paths in found.items() if len({Path(path).name for path in paths}) > 1}


def test_one_name_stands_for_one_thing() -> None:
    # The front door is served as each emulated server is.
    assert named_twice(modules("outbox", "worker")).keys() == {"serve"}


@pytest.mark.parametrize("source", ["def Keep(): ...", "class Keep: ...", "Keep = dict[str, int]"])
def test_a_name_that_stands_for_two_things_is_noticed(source: str) -> None:
    paths = ["worker/a.py", "outbox/b.py"]

    assert named_twice([(path, ast.parse(source)) for path in paths]) == {"Keep": paths}


def test_every_public_class_and_function_says_what_it_is() -> None:
    silent = [
        f"{path}: {node.name}"
        for path, tree in modules("outbox", "worker")
        for node in public(tree)
        if not ast.get_docstring(node)
    ]

    assert silent == []


def lambdas_in_lambdas(tree: ast.AST) -> list[int]:
    outer = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    return [inner.lineno for node in outer for inner in ast.walk(node.body) if isinstance(inner, ast.Lambda)]


def test_no_lambda_stands_in_a_lambda() -> None:
    trees = modules("outbox", "worker", "migrations", "benchmarks", "tests")

    assert [(path, lines) for path, tree in trees if (lines := lambdas_in_lambdas(tree))] == []


def test_a_lambda_in_a_lambda_is_noticed() -> None:
    assert lambdas_in_lambdas(ast.parse("later = lambda: again(lambda: 1)")) == [1]


def test_tables_are_ours_or_the_wikis() -> None:
    found = [
        path
        for path, tree in modules("outbox", "worker")
        for call in calls(tree)
        if ast.unparse(call.func).endswith("MetaData")
    ]

    assert found == ["outbox/mediawiki/schema.py", "outbox/tables.py"]
