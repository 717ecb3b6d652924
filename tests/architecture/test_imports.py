"""The import rules of pyproject.toml hold, and would be noticed if they did not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint_imports(root: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([LINT_IMPORTS, "--no-cache"], cwd=root, capture_output=True, text=True)


FORBIDDEN = [
    ("outbox/backoff.py", "import celery", "outbox.backoff -> celery"),
    ("outbox/edits.py", "import sqlalchemy", "outbox.edits -> sqlalchemy"),
    ("outbox/tables.py", "import outbox.claiming", "outbox.tables -> outbox.claiming"),
    ("worker/scores/pipeline.py", "import httpx", "worker.scores.pipeline -> httpx"),
    ("worker/lanes/turn.py", "import worker.scores.plan", "worker.lanes.turn -> worker.scores.plan"),
    (
        "worker/emulators/serving.py",
        "import worker.scores.plan",
        "worker.emulators.serving -> worker.scores.plan",
    ),
    ("worker/events/build.py", "import redis", "worker.events.build -> redis"),
    ("worker/placeless.py", "", "placeless"),
]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of the repository, as far as the import rules go, once it is broken in each of these ways."""
    copy = tmp_path_factory.mktemp("broken")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in ("outbox", "worker"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "samples"))
    for module, line, _ in FORBIDDEN:
        with (copy / module).open("a") as source:
            source.write(f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    return done.stdout


def test_every_layer_imports_only_those_below_it() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("module", "line", "complaint"), FORBIDDEN)
def test_a_forbidden_import_is_noticed(complaints: str, module: str, line: str, complaint: str) -> None:
    assert complaint in complaints
