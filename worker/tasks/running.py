"""How tasks run: in this process' event loop, time-boxed, and with a line that names the cure where they can't."""

import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from outbox.errors import OutboxError
from worker.bootstrap import Services, services
from worker.config.telemetry import log
from worker.domain.errors import WorkerError


@contextmanager
def reported(task: str, wiki: str) -> Iterator[None]:
    """Log an expected error and swallow it: the messages are where they were, and the next poll tries again."""
    try:
        yield
    except (OutboxError, WorkerError) as error:
        log.error("task_failed", task=task, wiki=wiki, error=str(error))


def run_time_boxed(
    task: str, wiki: str, drain: Callable[[Services, float, Callable[[], None]], Coroutine[Any, Any, bool]], *rest: str
) -> None:
    """Answer the doorbell and run `drain(services, until, more)`; ring again if it ended for want of time.

    *rest* are arguments of the task that follow the wiki.
    """
    with reported(task, wiki):
        here = services()

        def ring() -> None:
            here.doorbell.ring(task, wiki, *rest)

        here.doorbell.answer(task, wiki, *rest)
        if here.runner.run(drain(here, time.monotonic() + here.settings.drain_seconds, ring)):
            ring()
