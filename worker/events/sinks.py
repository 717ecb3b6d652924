"""Where events are delivered."""

import fcntl
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.errors import SinkUnavailable


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event on its way: the stream it belongs to, and its JSON as promised."""

    stream: str
    body: str


class EventSink(Protocol):
    """Takes events. What it has returned from is delivered; the same event may come again, with the same `meta.id`."""

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        """Deliver all of *events*, in order.

        Raises:
            SinkUnavailable: none, or not surely all, were delivered; the text says what to do.
        """


class FileSink:
    """One NDJSON file a stream, shared by any number of processes; on disk before `send` returns."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, events: Sequence[OutgoingEvent]) -> None:
        by_stream: dict[str, list[str]] = defaultdict(list)
        for event in events:
            by_stream[event.stream].append(event.body)
        for stream, bodies in by_stream.items():
            file = self._directory / f"{stream}.ndjson"
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                _append(file, "".join(f"{body}\n" for body in bodies).encode())
            except OSError as error:
                raise SinkUnavailable(
                    f"events can't be written to {file}: {error.strerror}; mend sink.directory"
                ) from error


def _append(file: Path, lines: bytes) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _drop_half_line(descriptor)
        view = memoryview(lines)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_half_line(descriptor: int) -> None:
    """Cut off what a process killed in the middle of a write left; its events are still promised and come again."""
    size = os.fstat(descriptor).st_size
    end = size
    while end and os.pread(descriptor, 1, end - 1) != b"\n":
        chunk_start = max(0, end - 65536)
        newline = os.pread(descriptor, end - chunk_start, chunk_start).rfind(b"\n")
        end = chunk_start if newline < 0 else chunk_start + newline + 1
    if end != size:
        os.ftruncate(descriptor, end)
