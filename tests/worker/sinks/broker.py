"""A Kafka of its own process: librdkafka's mock cluster, which speaks Kafka over TCP and can be frozen."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from tests.patience import PATIENCE_SECONDS, until
from tests.services import stop_process
from worker.demo.processes import Child, Processes

#: What the mock cluster makes of a topic that it does not know yet.
PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Broker:
    """A running mock cluster."""

    address: str
    child: Child

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections, and answers nothing meanwhile."""
        stop_process(self.child.process.pid)
        try:
            yield
        finally:
            os.kill(self.child.process.pid, signal.SIGCONT)

    def messages(self, topic: str, count: int) -> list[Message]:
        """The first *count* messages of *topic*, those of one partition in their order."""
        found: list[Message] = []
        self._consume(topic, found, lambda: len(found) >= count)
        return found[:count]

    def distinct_values(self, topic: str, count: int) -> list[str]:
        """What the messages of *topic* carry that are there once there are *count* different ones, sorted.

        One that the broker had answered for too late was sent again.
        """
        found: list[Message] = []
        self._consume(topic, found, lambda: len({text(message) for message in found}) >= count)
        return sorted({text(message) for message in found})

    def _consume(self, topic: str, found: list[Message], is_enough: Callable[[], bool]) -> None:
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "tests", "fetch.wait.max.ms": 20})
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])

        def take() -> None:
            found.extend(message for message in consumer.consume(1000, 0.1) if message.error() is None)

        until(is_enough, "messages", progress=lambda: len(found), meanwhile=take, pause=0)
        consumer.close()

    def values(self, topic: str, count: int) -> list[str]:
        """What the first *count* messages of *topic* carry, sorted."""
        return sorted(text(message) for message in self.messages(topic, count))


def text(message: Message) -> str:
    """What *message* carries."""
    return (message.value() or b"").decode()


def key(message: Message) -> dict[str, Any]:
    """The page that *message* is of."""
    page: dict[str, Any] = json.loads(message.key() or b"")
    return page


@contextmanager
def mock_broker(directory: Path) -> Iterator[Broker]:
    """A mock cluster that runs meanwhile."""
    with Processes(directory) as processes:
        child = processes.start("broker", [sys.executable, "-m", "tests.worker.sinks.broker"])
        processes.wait_until(child, lambda: child.log.read_text().endswith("\n"), seconds=PATIENCE_SECONDS)
        yield Broker(child.log.read_text().strip(), child)


def main() -> None:
    """Own a mock cluster until a signal comes; its address is the only line of output."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = owner.list_topics(timeout=PATIENCE_SECONDS).brokers.values()
    sys.stdout.write(f"{broker.host}:{broker.port}\n")
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
