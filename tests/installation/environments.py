"""Building the distributions, and empty environments to install them in, with no pins and nothing of the repository."""

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.commands import Finished
from tests.services import AUTHORITIES, AUTHORITIES_VARIABLE

#: Far more than it takes; a package index that does not answer is to be told of, not waited for.
PATIENCE_SECONDS = 900


class PackagesUnreachable(RuntimeError):
    """pip could not install what the distribution asks for."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, and a folder outside of the repository to call its commands in."""

    directory: Path
    outside: Path

    def call(self, program: str, *arguments: str | Path, stdin: bytes = b"") -> Finished:
        """Run a *program* of the environment, and of no other, to its end."""
        finished = subprocess.run(
            [self.program(program), *map(str, arguments)],
            cwd=self.outside,
            env=self.variables,
            input=stdin,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )
        return Finished(finished.returncode, finished.stdout.decode(), finished.stderr.decode())

    def program(self, name: str) -> Path:
        return self.directory / "bin" / name

    @property
    def variables(self) -> Mapping[str, str]:
        return without_this_project() | {"PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}", "COLUMNS": "200"}


def make_environment(directory: Path, *requirements: str) -> Environment:
    """An environment with *requirements*, each the newest that is allowed, and nothing else.

    Raises:
        PackagesUnreachable: pip can't have them from here.
    """
    environment = Environment(directory / "environment", directory / "outside")
    environment.outside.mkdir()
    venv.create(environment.directory, with_pip=False)
    pip_install(["--python", str(environment.program("python"))], *requirements)
    return environment


def pip_install(options: Sequence[str], *arguments: str | Path) -> str:
    """Call `pip install`; returns what it said.

    Raises:
        PackagesUnreachable: it failed.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "pip", *options, "install", "--no-input", "--progress-bar=off", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=without_this_project(),
        timeout=PATIENCE_SECONDS,
    )
    if finished.returncode:
        errors = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise PackagesUnreachable(
            f"pip can't install {' '.join(map(str, arguments))} from where this machine has its packages; these tests "
            f"need an index that it can reach: {'; '.join(errors[-2:]) or finished.stderr[-500:]}"
        )
    return finished.stdout


def build(kind: str, source: Path, directory: Path) -> Path:
    """Build the "sdist" or the "wheel" of the project in *source*; returns the file."""
    finished = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", directory],
        cwd=source,
        capture_output=True,
        text=True,
        env=without_this_project(),
    )
    assert finished.returncode == 0, finished.stderr
    (built,) = directory.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return built


def without_this_project() -> dict[str, str]:
    """The environment without what would lead back to the repository, or to somebody's settings."""
    left = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OUTPATROL_", "PYTEST_"))
        and name not in {"PYTHONPATH", "VIRTUAL_ENV", AUTHORITIES_VARIABLE}
    }
    return left | ({AUTHORITIES_VARIABLE: AUTHORITIES} if AUTHORITIES else {})
