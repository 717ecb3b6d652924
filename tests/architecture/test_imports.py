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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository as far as the import rules go, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("outbox", "worker"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "samples"))
    return tmp_path


def test_every_layer_imports_only_those_below_it() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
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
    ],
)
def test_a_forbidden_import_is_noticed(copy: Path, module: str, line: str, complaint: str) -> None:
    with (copy / module).open("a") as source:
        source.write(f"\n{line}\n")

    done = lint_imports(copy)

    assert done.returncode == 1
    assert complaint in done.stdout
