"""What one process does in the test of several that share a file; light to import, since each imports it anew."""

from pathlib import Path

from tests.builders import an_event
from worker.events.file_sink import FileSink

EVENTS_OF_A_PROCESS = 200


def append(directory: Path, name: str) -> None:
    sink = FileSink(directory, max_bytes=10**9)
    for number in range(EVENTS_OF_A_PROCESS):
        # Larger than a page, so that a write could be cut by another.
        sink.send([an_event(stream="shared", body=f'{{"id": "{name}-{number}", "padding": "{name * 5000}"}}')])
