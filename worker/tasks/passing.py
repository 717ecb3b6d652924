"""Passing on tasks for a wiki that these settings lack: another worker on the same queues may know it."""

import random
from typing import Any

from celery import current_task

from worker.app import app
from worker.bootstrap import Services
from worker.config.telemetry import log
from worker.lanes.rings import QUEUE_OF
from worker.lanes.seldom import Seldom

#: How often a task was passed on, in a header of its message.
PASSES = "outpatrol_passes"
#: After this many times, no worker on these queues seems to know that wiki.
MOST_PASSES = 50
#: Before it is passed on; longer the more often that was in vain, since the other worker may be busy: half a minute in
#: all.
REST_SECONDS = 0.1
PASSES_A_REST = 5

_warnings = Seldom()


def is_passed_on(here: Services, wiki: str) -> bool:
    """Send the task that runs here back to its queue if *wiki* is not ours, unless it was passed on too often."""
    task = current_task
    if wiki in here.wikis:
        return False
    if _warnings.is_time(wiki):
        log.warning(
            "wiki_unknown",
            wiki=wiki,
            task=task.name,
            cure=f"add [wikis.{wiki}] to the settings of this worker, or give its deployment a redis_prefix of its own",
        )
    passes = int((task.request.headers or {}).get(PASSES, 0))
    if passes >= MOST_PASSES:
        return False
    again: dict[str, Any] = {
        "args": task.request.args,
        "kwargs": task.request.kwargs,
        "task_id": task.request.id,
        "queue": QUEUE_OF[task.name],
        "ignore_result": task.request.ignore_result,
        "headers": {PASSES: passes + 1},
        "retry": False,
    }
    name = task.name

    def send() -> None:
        app.send_task(name, **again)

    # Spread, or the same messages may come back in the same order each time, and go to the same workers.
    spread = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
    here.doorbell.later(spread * REST_SECONDS * (1 + passes // PASSES_A_REST), send)
    return True
