"""Everything that a demo needs, started on loopback: Redis, scoring endpoint, worker, beat, settings."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from worker.bootstrap import Services, build_services
from worker.demo.processes import Child, Processes, answers, free_port
from worker.domain.errors import CommandFailed
from worker.incoming.edits import NotAnEdit, edit_of
from worker.incoming.replaying import lines_of
from worker.settings import load_settings, use_settings_file
from worker.upkeep.migrating import migrate

SAMPLE = Path(__file__).resolve().parent / "samples" / "recentchange.ndjson.gz"

SETTINGS = """\
# Made by `outpatrol demo`.
redis_url = "redis://127.0.0.1:{redis_port}/0"
poll_seconds = 1

[endpoint]
kind = "ores"
url = "http://127.0.0.1:{scoring_port}"

[sinks.file]
directory = {events}

[flight]
call_seconds = 20

[outbox]
lease_seconds = 20
"""

WIKI_SETTINGS = """
[wikis.{wiki}]
database_url = {database_url}
emulated = true
domain = "{domain}"
language = "{language}"
models = ["damaging", "goodfaith"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was started, and where."""

    directory: Path
    services: Services
    scoring_url: str
    worker: Child
    beat: Child
    #: The address of the front door; None if the extra `web` is not installed.
    web_url: str | None

    @property
    def events(self) -> Path:
        return self.directory / "events"


def wikis_of(file: str | Path, only: Sequence[str], limit: int | None) -> tuple[dict[str, str], int]:
    """The wikis in *file* with their domains, and how many edits of them are replayed: *limit* at most.

    Raises:
        CommandFailed: the file can't be read, or holds no edit of the wikis in *only* (of any, if that is empty).
    """
    domains: dict[str, str] = {}
    edits = 0
    try:
        with lines_of(file) as lines:
            for line in lines:
                wiki, domain = _wiki_and_domain(line)
                if wiki and (not only or wiki in only) and (limit is None or edits < limit):
                    domains.setdefault(wiki, domain)
                    edits += 1
    except (OSError, EOFError) as error:
        raise CommandFailed(f"{file} can't be read: {error}; name an NDJSON file of recentchange events") from error
    if not edits:
        of = f" of {', '.join(only)}" if only else ""
        raise CommandFailed(f"{file} holds no edits{of}; name an NDJSON file of recentchange events")
    return domains, edits


def _wiki_and_domain(line: bytes) -> tuple[str | None, str]:
    try:
        edit = edit_of(line)
    except NotAnEdit:
        return None, ""
    event = json.loads(line)
    return edit.wiki, str(event.get("server_name") or f"{edit.wiki.removesuffix('wiki')}.wikipedia.org")


def write_settings(directory: Path, wikis: Mapping[str, str], redis_port: int, scoring_port: int) -> Path:
    """Write `outpatrol.toml` for *wikis* (id to domain) into *directory*, a SQLite file each."""
    text = SETTINGS.format(redis_port=redis_port, scoring_port=scoring_port, events=_quoted(directory / "events"))
    for wiki, domain in sorted(wikis.items()):
        text += WIKI_SETTINGS.format(
            wiki=wiki,
            database_url=_quoted(f"sqlite:///{directory / f'{wiki}.db'}"),
            domain=domain,
            language=domain.partition(".")[0],
        )
    file = directory / "outpatrol.toml"
    file.write_text(text)
    return file


def start(opened: ExitStack, processes: Processes, directory: Path, wikis: Mapping[str, str]) -> Surroundings:
    """Start Redis and the endpoint, point this process' settings at them, migrate, and start worker and beat.

    The services of this process are closed with *opened*.

    Raises:
        CommandFailed: something can't be started; the text has the end of its log.
    """
    redis_port, scoring_port = free_port(), free_port()
    use_settings_file(write_settings(directory, wikis, redis_port, scoring_port))
    redis = processes.start("redis", redis_command(redis_port), cwd=directory)
    outpatrol = [sys.executable, "-m", "worker.cli"]
    scoring = processes.start(
        "scoring",
        [
            *(*outpatrol, "emulate", "scoring", "--any-wiki"),
            *("--port", str(scoring_port), "--log", directory / "scoring-calls.ndjson"),
        ],
        cwd=directory,
    )
    services = opened.enter_context(closing(build_services(load_settings())))
    for wiki in services.wikis.values():
        migrate(wiki.database, emulated=wiki.settings.emulated)
    processes.wait_until(redis, lambda: answers(redis_port))
    processes.wait_until(scoring, lambda: answers(scoring_port))
    return Surroundings(
        directory=directory,
        services=services,
        scoring_url=f"http://127.0.0.1:{scoring_port}",
        worker=start_worker(processes, directory),
        beat=start_beat(processes, directory),
        web_url=start_web(processes, directory),
    )


def start_web(processes: Processes, directory: Path) -> str | None:
    """Start the front door, if its packages are installed; returns its address, where it answers a moment later."""
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        return None
    port = free_port()
    processes.start("web", [sys.executable, "-m", "worker.cli", "web", "--port", str(port)], cwd=directory)
    return f"http://127.0.0.1:{port}"


def start_worker(
    processes: Processes,
    directory: Path,
    *options: str,
    count: int = 2,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start *count* worker processes with these *options* of Celery, and the supervisor that keeps them running.

    They read the settings of *environment*, or else our own.
    """
    command = [sys.executable, "-m", "worker.cli", "worker", "--processes", str(count), "--", *options]
    return processes.start("worker", command, cwd=directory, environment=environment)


def start_beat(processes: Processes, directory: Path, *, environment: Mapping[str, str] | None = None) -> Child:
    """Start a beat; it reads the settings of *environment*, or else our own."""
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "beat", "--pidfile", str(directory / "beat.pid")]
    return processes.start("beat", command, cwd=directory, environment=environment)


def redis_command(port: int) -> list[str]:
    """A private Redis: loopback only, nothing on disk.

    Raises:
        CommandFailed: there is no `redis-server`.
    """
    beside_python = Path(sys.executable).parent / "redis-server"
    program = shutil.which("redis-server") or (str(beside_python) if beside_python.is_file() else None)
    if program is None:
        raise CommandFailed(
            "there is no redis-server here; install one (apt-get install redis-server; for Python 3.11 and 3.12 on "
            "x86-64 also pip install 'outpatrol[demo]') and run this again"
        )
    return [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


def _quoted(text: str | Path) -> str:
    """A TOML string."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
