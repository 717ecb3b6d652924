"""What one process does in the tests of several that share a file."""

import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from worker.events import file_sink
from worker.events.file_sink import FileSink
from worker.events.sinks import DeliveryFailure, OutgoingEvent

EVENTS_OF_A_PROCESS = 100
NEVER = 10**9


@contextmanager
def long_day() -> Iterator[None]:
    """No file that is written from now on is of an earlier day, though midnight may come before the end."""
    day, begun = file_sink._day, time.time() - 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_sink, "_day", lambda moment=begun: day(min(moment, begun)))
        yield


@contextmanager
def one_day() -> Iterator[None]:
    """All files are of one day, whenever and by whichever process they were written."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_sink, "_day", lambda *_: "20260131")
        yield


def append(directory: Path, name: str, max_bytes: int) -> None:
    """Send events one by one, each larger than a page, so that a write could be cut by another."""
    sink = FileSink(directory, max_bytes=max_bytes)
    for number in range(EVENTS_OF_A_PROCESS):
        body = f'{{"id": "{name}-{number}", "padding": "{name * 5000}"}}'
        event = OutgoingEvent(stream="shared", id=f"{name}-{number}", body=body, wiki="enwiki", page=1, revision=number)
        assert sink.send([event]) == {}


def append_at_once(directory: Path, names: str, max_bytes: int = NEVER) -> list[int]:
    """Append in one process for each letter of *names*; returns their exit codes."""
    command = [sys.executable, "-m", "tests.worker.sinks.appending", str(directory), str(max_bytes)]
    processes = [subprocess.Popen([*command, name]) for name in names]
    return [process.wait() for process in processes]


def ids_of(files: list[Path]) -> list[str]:
    """The ids in *files*, in their order; every line must be whole."""
    events = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert all(event["padding"] == event["id"][0] * 5000 for event in events)
    return [event["id"] for event in events]


def send_limited(directory: Path, events: list[OutgoingEvent], most_bytes: int) -> dict[int, DeliveryFailure]:
    """What a sink says of *events* in a process of its own whose files can't grow beyond *most_bytes*."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send_limited, args=(directory, events, most_bytes, theirs))
    process.start()
    theirs.close()
    try:
        failures: dict[int, DeliveryFailure] = ours.recv()
    finally:
        process.join()
        ours.close()
    return failures


def _send_limited(directory: Path, events: list[OutgoingEvent], most_bytes: int, answer: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    with one_day():
        answer.send(dict(FileSink(directory, max_bytes=NEVER).send(events)))


if __name__ == "__main__":
    with one_day():
        append(Path(sys.argv[1]), sys.argv[3], int(sys.argv[2]))
