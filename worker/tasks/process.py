"""A worker process: options that it refuses, its services from start to end, and its watchdog."""

import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from celery import Task, bootsteps
from celery.concurrency import get_implementation
from celery.signals import celeryd_init, task_postrun, task_prerun, worker_init, worker_shutdown

from outbox.errors import OutboxError
from worker.app import app
from worker.bootstrap import services
from worker.config.garbage import look_rarely
from worker.domain.errors import WorkerError
from worker.domain.visible import visible
from worker.lanes.watchdog import Tasks, Watchdog

#: Options of `celery worker` that make no sense here, with the way out.
REFUSED = {
    "pool": "--pool: a turn is a thread here; leave it out, and raise worker.threads or `outpatrol worker --processes`",
    "autoscale": "--autoscale: threads that wait cost nothing; leave it out, and set worker.threads",
    "detach": "--detach: the supervisor must see its processes end; run this by systemd, or with nohup and &, instead",
    "beat": "--beat: there are several worker processes and one schedule; run `celery -A worker.app beat` beside them",
}

#: Some batches' worth; with 20,000 a twelfth of the processor time of a drain went there.
OBJECTS_A_COLLECTION = 100_000

#: What runs in this process, which its watchdog ends if one of them takes too long.
TASKS = Tasks()
_watchdogs: list[Watchdog] = []


@celeryd_init.connect
def _refuse(options: Mapping[str, Any], **_: Any) -> None:
    if (pool := options.get("pool")) and get_implementation(pool) is not get_implementation("threads"):
        _stop(REFUSED["pool"])
    for option in ("autoscale", "beat"):
        if options.get(option):
            _stop(REFUSED[option])


@worker_init.connect
def _begin(sender: Any, **_: Any) -> None:
    try:
        # As many threads as `celery worker --concurrency` or the settings say.
        here = services(threads=sender.concurrency)
    except (OutboxError, WorkerError) as error:
        _stop(str(error))
    watchdog = Watchdog(loop=here.http_loop, turns=here.turns, tasks=TASKS, settings=here.settings.worker)
    watchdog.start()
    _watchdogs.append(watchdog)
    look_rarely(OBJECTS_A_COLLECTION)


@task_prerun.connect
def _task_begins(task_id: str, task: "Task[..., Any]", args: Any = (), **_: Any) -> None:
    TASKS.begin(task_id, " ".join([str(task.name), *map(str, args or [task_id])]))


@task_postrun.connect
def _task_ends(task_id: str, **_: Any) -> None:
    TASKS.end(task_id)


@worker_shutdown.connect
def _end(**_: Any) -> None:
    services().close()


class Ending(bootsteps.StartStopStep):
    """Tells the watchdog that the process is ending, whether by a signal, a command or an error."""

    def close(self, _worker: Any) -> None:
        for watchdog in _watchdogs:
            watchdog.ask_to_end()


app.steps["worker"].add(Ending)


def _stop(sentence: str) -> NoReturn:
    sys.stderr.write(f"outpatrol: {visible(sentence)}\n")
    raise SystemExit(os.EX_CONFIG)
