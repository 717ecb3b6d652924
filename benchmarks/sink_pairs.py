"""Each of our sinks beside the bare client that does the same; requests and bytes are counted outside of both."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import KafkaError, Producer

from benchmarks.mock_kafka import mock_kafka
from tests.eventgate import EmulatedEventGate, emulated_eventgate
from worker.domain.errors import CommandFailed
from worker.events.eventgate import EventGateSink
from worker.events.file_sink import FileSink
from worker.events.kafka import KafkaSink, message_key
from worker.events.sinks import EventSink, OutgoingEvent
from worker.events.stdout_sink import DESCRIPTOR, StdoutSink
from worker.lanes.loops import HttpLoop

#: Delivers one batch, or raises.
Send = Callable[[Sequence[OutgoingEvent]], None]

TIMEOUT_SECONDS = 30
STATISTICS_MILLISECONDS = 20


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """Writes to a file or pipe, HTTP requests or Kafka's produce requests, and the bytes in them."""

    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SinkPair:
    """Two that deliver the same events to the same place, and the totals of both."""

    ours: Send
    bare: Send
    totals: Callable[[], WriteCounts]


#: Opens a pair for batches of the given size.
Open = Callable[[int], AbstractContextManager[SinkPair]]


@contextmanager
def opened_pairs(directory: Path) -> Iterator[Mapping[str, Open]]:
    """By the sinks' names; the servers that they need run meanwhile."""
    with ExitStack() as stack:
        eventgate = stack.enter_context(emulated_eventgate(directory))
        # Checking the events would take most of the time.
        eventgate.set(checks_schemas=False)
        yield {
            "file": partial(_file, directory),
            "stdout": _stdout,
            "eventgate": partial(_eventgate, eventgate),
            "kafka": partial(_kafka, stack.enter_context(mock_kafka(directory))),
        }


@contextmanager
def _file(directory: Path, batch_size: int) -> Iterator[SinkPair]:
    bare_file = directory / f"bare-{batch_size}.ndjson"

    def bare(events: Sequence[OutgoingEvent]) -> None:
        with bare_file.open("ab") as file:
            file.write(_lines(events))
            file.flush()
            os.fsync(file.fileno())

    with closing(FileSink(directory / f"ours-{batch_size}", max_bytes=10**9)) as sink:
        yield SinkPair(all_of(sink), bare, _written_by_this_thread)


@contextmanager
def _stdout(_batch_size: int) -> Iterator[SinkPair]:
    def bare(events: Sequence[OutgoingEvent]) -> None:
        lines = memoryview(_lines(events))
        while lines:
            lines = lines[os.write(DESCRIPTOR, lines) :]

    with _read_by_a_thread(), closing(StdoutSink(timeout_seconds=60)) as sink:
        yield SinkPair(all_of(sink), bare, _written_by_this_thread)


@contextmanager
def _eventgate(eventgate: EmulatedEventGate, batch_size: int) -> Iterator[SinkPair]:
    def bare(events: Sequence[OutgoingEvent]) -> None:
        reply = client.post(eventgate.events_url, content=f"[{','.join(event.body for event in events)}]".encode())
        if reply.status_code != 201:
            raise CommandFailed(f"the bare client was answered {reply.status_code}")

    def totals() -> WriteCounts:
        summary = eventgate.summary()
        return WriteCounts(requests=summary["requests"], bytes=summary["bytes"])

    loop = HttpLoop()
    sink = EventGateSink(
        eventgate.url, timeout_seconds=TIMEOUT_SECONDS, batch_size=batch_size, user_agent="benchmark", loop=loop
    )
    headers = {"User-Agent": "benchmark", "Content-Type": "application/json"}
    with closing(loop), closing(sink), httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers) as client:
        yield SinkPair(all_of(sink), bare, totals)


@contextmanager
def _kafka(bootstrap_servers: str, _batch_size: int) -> Iterator[SinkPair]:
    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            raise CommandFailed(f"the bare producer: {error}")

    def bare(events: Sequence[OutgoingEvent]) -> None:
        for event in events:
            producer.produce(event.stream, value=event.body.encode(), key=message_key(event), on_delivery=delivered)
        if producer.flush(TIMEOUT_SECONDS):
            raise CommandFailed("the bare producer's events were not acknowledged")

    def serve() -> None:
        sink.send([])
        producer.poll(0)

    statistics = _Statistics()
    settings = {
        "bootstrap.servers": bootstrap_servers,
        "statistics.interval.ms": STATISTICS_MILLISECONDS,
        "stats_cb": statistics.told,
    }
    producer = Producer(
        settings
        | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "snappy",
            "linger.ms": 5,
            "delivery.timeout.ms": TIMEOUT_SECONDS * 1000,
        }
    )
    with closing(KafkaSink(settings, topic_prefix="", timeout_seconds=TIMEOUT_SECONDS)) as sink:
        yield SinkPair(all_of(sink), bare, lambda: statistics.totals(serve))


class _Statistics:
    """What librdkafka counts of two producers."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, Any]] = {}

    def told(self, document: str) -> None:
        found = json.loads(document)
        self._newest[found["name"]] = found

    def totals(self, serve: Callable[[], None]) -> WriteCounts:
        """Wait for fresh counts of both, which come while one of their methods runs: *serve* calls one."""
        asked = time.monotonic() * 1e6
        while len(self._newest) < 2 or any(found["ts"] < asked for found in self._newest.values()):
            time.sleep(STATISTICS_MILLISECONDS / 1000)
            serve()
        brokers = [broker for found in self._newest.values() for broker in found["brokers"].values()]
        return WriteCounts(
            requests=sum(broker["req"].get("Produce", 0) for broker in brokers),
            bytes=sum(broker["txbytes"] for broker in brokers),
        )


def all_of(sink: EventSink) -> Send:
    """Have *sink* deliver batches; what it does not deliver raises CommandFailed, since it is no measurement."""

    def send(events: Sequence[OutgoingEvent]) -> None:
        failure = next(iter(sink.send(events).values()), None)
        if failure is not None:
            raise CommandFailed(f"{type(sink).__name__}: {failure.reason}")

    return send


def _lines(events: Sequence[OutgoingEvent]) -> bytes:
    return "".join(f"{event.body}\n" for event in events).encode()


def _written_by_this_thread() -> WriteCounts:
    # Counted by the kernel: what is sent on sockets is not included.
    counted = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return WriteCounts(requests=int(counted["syscw"]), bytes=int(counted["wchar"]))


@contextmanager
def _read_by_a_thread() -> Iterator[None]:
    """Standard output goes into a pipe, which a thread empties."""

    def read() -> None:
        while os.read(reading, 1 << 20):
            pass

    reading, writing = os.pipe()
    kept = os.dup(DESCRIPTOR)
    os.dup2(writing, DESCRIPTOR)
    os.close(writing)
    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        os.dup2(kept, DESCRIPTOR)
        os.close(kept)
        thread.join()
        os.close(reading)
