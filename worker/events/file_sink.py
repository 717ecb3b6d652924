"""Events into files: one NDJSON file a stream, whole lines only, on disk before they count as delivered."""

import fcntl
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from outbox import lane
from worker.config.settings_sections import SinkSection
from worker.events.sinks import DeliveryFailure, OutgoingEvent, SinkKind, SinkUnavailable


class FileSection(SinkSection):
    """Events into files."""

    directory: Path = Field(default=Path("events"), description="Holds one NDJSON file a stream.")
    max_megabytes: float = Field(default=256, gt=0, description="A file of that size is set aside; so is each day's.")


class FileSink:
    """Shared by any number of processes.

    A file that has grown to *max_bytes*, or is of an earlier day (UTC), is set aside as `<stream>.<day>.<n>.ndjson`.
    """

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        by_stream: dict[str, list[int]] = defaultdict(list)
        for place, event in enumerate(events):
            by_stream[event.stream].append(place)
        failures: dict[int, DeliveryFailure] = {}
        for stream, places in by_stream.items():
            file = self._directory / f"{stream}.ndjson"
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._append(file, "".join(f"{events[place].body}\n" for place in places).encode())
            except OSError as error:
                reason = f"events can't be written to {file}: {error.strerror}; correct sinks.file.directory"
                failures |= dict.fromkeys(places, SinkUnavailable(reason))
        return failures

    def close(self) -> None:
        """Nothing is kept open."""

    def _append(self, file: Path, lines: bytes) -> None:
        while True:
            descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not _is_at(descriptor, file):
                    # Another process set it aside while we waited.
                    continue
                # Before a half line is cut off, since that changes the date of the file.
                day = _day(os.fstat(descriptor).st_mtime)
                _drop_half_line(descriptor)
                if self._is_due(descriptor, day):
                    _set_aside(file, day)
                    continue
                _write(descriptor, lines)
                return
            finally:
                os.close(descriptor)

    def _is_due(self, descriptor: int, day: str) -> bool:
        size = os.fstat(descriptor).st_size
        return size > 0 and (size >= self._max_bytes or day != _day())


def _write(descriptor: int, lines: bytes) -> None:
    before = os.fstat(descriptor).st_size
    try:
        view = memoryview(lines)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError:
        # Nobody should read half a line; the events come again.
        os.ftruncate(descriptor, before)
        raise


def _day(moment: float | None = None) -> str:
    return f"{datetime.now(UTC) if moment is None else datetime.fromtimestamp(moment, UTC):%Y%m%d}"


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _set_aside(file: Path, day: str) -> None:
    number = 1
    while (aside := file.with_suffix(f".{day}.{number:03}.ndjson")).exists():
        number += 1
    file.rename(aside)


def _drop_half_line(descriptor: int) -> None:
    """Cut off a half line that a killed process left; its events are still promised and come again."""
    size = os.fstat(descriptor).st_size
    end = size
    while end and os.pread(descriptor, 1, end - 1) != b"\n":
        chunk_start = max(0, end - 65536)
        newline = os.pread(descriptor, end - chunk_start, chunk_start).rfind(b"\n")
        end = chunk_start if newline < 0 else chunk_start + newline + 1
    if end != size:
        os.ftruncate(descriptor, end)


FILE = SinkKind(
    name="file",
    section=FileSection,
    lane=lane("event_outbox"),
    open=lambda section, *_: FileSink(section.directory, max_bytes=round(section.max_megabytes * 1_000_000)),
)
