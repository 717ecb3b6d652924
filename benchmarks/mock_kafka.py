"""A Kafka broker for measuring: librdkafka's mock cluster, in a process of its own, spoken to over TCP."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.servers import ROOT
from worker.demo.processes import Processes


@contextmanager
def mock_kafka(directory: Path) -> Iterator[str]:
    """The bootstrap servers of a broker that runs meanwhile; it makes topics as they are asked for."""
    with Processes(directory) as processes:
        child = processes.start("kafka", [sys.executable, "-m", "benchmarks.mock_kafka"], cwd=ROOT)
        processes.wait_until(child, lambda: child.log.read_text().endswith("\n"))
        yield child.log.read_text().strip()


def serve() -> None:
    """Say where the broker listens, and wait to be ended."""
    # The cluster lives as long as the producer. Its greeting is a log message.
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    print(f"{broker.host}:{broker.port}", flush=True)
    signal.pause()


if __name__ == "__main__":
    serve()
