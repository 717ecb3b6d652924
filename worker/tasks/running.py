"""How tasks run: with a line that names the cure where they can't."""

from collections.abc import Iterator
from contextlib import contextmanager

from outbox.errors import OutboxError
from worker.config.telemetry import log
from worker.domain.errors import WorkerError


@contextmanager
def reported(task: str, wiki: str, *rest: str) -> Iterator[None]:
    """Log an expected error and swallow it: the messages are where they were, and the next poll tries again."""
    try:
        yield
    except (OutboxError, WorkerError) as error:
        log.error("task_failed", task=":".join([task, *rest]), wiki=wiki, error=str(error))
