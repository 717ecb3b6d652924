"""A Redis that is stopped and started again on one port."""

from contextlib import closing

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import Child, Processes, answers, free_port
from worker.demo.surroundings import redis_command


def connect(port: int) -> Redis:
    """As a worker does: fails at once where nobody listens, and tries once more where a connection was lost."""
    return Redis(port=port, retry=Retry(NoBackoff(), 1), socket_timeout=PATIENCE_SECONDS)


class OwnRedis:
    """One Redis process, or none."""

    def __init__(self, processes: Processes) -> None:
        self.port = free_port()
        self._processes = processes
        self._child: Child | None = None

    def start(self) -> None:
        self._child = self._processes.start("redis", redis_command(self.port), cwd=self._processes.directory)
        self._processes.wait_until(self._child, lambda: answers(self.port), seconds=PATIENCE_SECONDS)
        with closing(connect(self.port)) as client:
            client.ping()

    def stop(self) -> None:
        assert self._child is not None
        self._processes.stop(self._child)
