"""Ending a task that can't do its work with one line that names the cure, instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from outbox.errors import OutboxError
from worker.errors import WorkerError
from worker.telemetry import log


@contextmanager
def reported(task: str, wiki: str) -> Iterator[None]:
    """Log an expected error and swallow it: the messages are where they were, and the next poll tries again."""
    try:
        yield
    except (OutboxError, WorkerError) as error:
        log.error("task_failed", task=task, wiki=wiki, error=str(error))
