"""What the file sink left of one stream, whichever of its files it is in: at midnight (UTC) it begins a new one."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

STREAM = "mediawiki.revision-score"


def events_in(directory: Path) -> list[dict[str, Any]]:
    """All events in *directory*, in the order in which they were written; none if it is not there."""
    return [json.loads(line) for line in lines_in(directory).splitlines()]


def lines_in(directory: Path, start: int = 0) -> bytes:
    """The whole lines in *directory* from byte *start* on, counted through all files, the oldest first."""
    content = bytes_in(directory, start)
    return content[: content.rfind(b"\n") + 1]


def bytes_in(directory: Path, start: int = 0) -> bytes:
    """As `lines_in`, with what may be half a line at the end."""
    while True:
        with ExitStack() as stack, suppress(FileNotFoundError):
            files = _files(directory)
            opened = [stack.enter_context(file.open("rb")) for file in files]
            # Otherwise one was set aside meanwhile, and what was opened under its name may be its successor.
            if _files(directory) == files:
                return b"".join(_from(opened, start))


def _files(directory: Path) -> list[Path]:
    """`<stream>.<day>.<n>.ndjson`, by day and number, and `<stream>.ndjson`."""
    return sorted(directory.glob(f"{STREAM}.*ndjson"))


def _from(files: Sequence[BinaryIO], start: int) -> Iterator[bytes]:
    for file in files:
        size = os.fstat(file.fileno()).st_size
        if start < size:
            file.seek(start)
            yield file.read()
        start = max(0, start - size)
