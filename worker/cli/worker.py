"""`outpatrol worker`: as many worker processes as there are cores, each of many threads, kept running."""

import os
import sys
from typing import Annotated

import typer

from worker.cli.console import errors_as_sentences, fail
from worker.config.telemetry import configure_logging
from worker.lanes.supervisor import Supervisor
from worker.settings import load_settings
from worker.tasks.process import REFUSED

#: Seconds that a process may take, when asked to end, to give back what it holds.
MARGIN_SECONDS = 4

ProcessesOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="How many; by default `worker.processes` of the settings, or one for each core.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The processes are called NAME-1@host, NAME-2@host, …; by default `outpatrol-` and our process id.",
        show_default=False,
    ),
]
OptionsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[-- OPTION]…", help="What follows `--` is given to each `celery worker`.", show_default=False
    ),
]


def worker(processes: ProcessesOption = None, name: NameOption = None, options: OptionsArgument = None) -> None:
    """Run worker processes, one for each core by default, each with `worker.threads` threads; restart those that end.

    Ends within half a minute of SIGTERM or Ctrl-C, with nothing left claimed. The schedule is beat's, which runs beside
    it: `celery -A worker.app beat`.

    Example: `outpatrol worker --processes 4 -- --task-events`
    """
    with errors_as_sentences():
        settings = load_settings()
    # Celery would import these before our checks, and end with a traceback if they are not installed.
    if any(each.endswith(("eventlet", "gevent")) for each in options or ()):
        fail(REFUSED["pool"], os.EX_CONFIG)
    if any(each in {"-D", "--detach"} for each in options or ()):
        fail(REFUSED["detach"], os.EX_CONFIG)
    configure_logging(settings.log_level)
    prefix = name or f"outpatrol-{os.getpid()}"
    count = processes or settings.worker.processes or cores()
    names = [f"{prefix}-{number}" for number in range(1, count + 1)]
    supervisor = Supervisor(
        {each: celery_worker(each, *options or ()) for each in names},
        stop_seconds=settings.worker.shutdown_seconds + MARGIN_SECONDS,
    )
    raise typer.Exit(supervisor.run())


def celery_worker(name: str, *options: str) -> list[str]:
    """The command of one worker process; it does not look for other workers before it begins."""
    start = [sys.executable, "-m", "celery", "--quiet", "-A", "worker.app", "worker", "--hostname", f"{name}@%h"]
    return [*start, "--without-mingle", "--without-gossip", *options]


def cores() -> int:
    """How many cores this process may use, if the system tells that; else how many there are."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
