"""Commands as a user calls them: real processes, with the settings in a directory and nothing else."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.running import environment, toml

OUTPATROL = (sys.executable, "-m", "worker.cli")
CELERY = (sys.executable, "-m", "celery", "-A", "worker.app")
#: Stands in every URL that has a password; must never be shown.
PASSWORD = "correct-horse-battery"
#: Far more than any takes, even a demo on a busy machine.
LONGEST_SECONDS = 300
NOBODY_LISTENS = "127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and all it said."""

    code: int
    out: str
    err: str

    @property
    def output(self) -> str:
        return self.out + self.err


def call(
    command: Sequence[str], directory: Path, *, stdin: bytes = b"", variables: Mapping[str, str] | None = None
) -> Finished:
    """Run *command* in *directory* to its end; it reads the `outpatrol.toml` there, if there is one."""
    quiet = {"COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
    settings = environment(directory / "outpatrol.toml")
    if not (directory / "outpatrol.toml").exists():
        settings = {name: value for name, value in settings.items() if not name.startswith("OUTPATROL_")}
    finished = subprocess.run(
        command,
        cwd=directory,
        env=settings | quiet | dict(variables or {}),
        input=stdin,
        capture_output=True,
        timeout=LONGEST_SECONDS,
    )
    # In whatever encoding it was told to write.
    encoding = dict(variables or {}).get("PYTHONIOENCODING", "utf-8")
    return Finished(finished.returncode, finished.stdout.decode(encoding), finished.stderr.decode(encoding))


def outpatrol(directory: Path, *arguments: str | Path, **more: Any) -> Finished:
    return call([*OUTPATROL, *map(str, arguments)], directory, **more)


def write_settings(directory: Path, *, database_url: str | None = None, emulated: bool = True, **changes: Any) -> None:
    """Settings of one wiki whose Redis and endpoint are not there, with *changes*."""
    document = {
        "redis_url": f"redis://:{PASSWORD}@{NOBODY_LISTENS}/0",
        "endpoint": {"url": f"http://{NOBODY_LISTENS}"},
        "wikis": {
            "enwiki": {
                "database_url": database_url or f"sqlite:///{directory}/enwiki.db",
                "emulated": emulated,
                "domain": "en.wikipedia.org",
                "language": "en",
            }
        },
    }
    (directory / "outpatrol.toml").write_text(toml(document | changes))


def session_members(session: int) -> list[int]:
    """The processes of that session that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, _group, its_session = status.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(its_session) == session and state != "Z" and int(status.parent.name) != os.getpid():
            found.append(int(status.parent.name))
    return found
