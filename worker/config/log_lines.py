"""Where log lines go and how they are written: each is one line of JSON, whatever stands in it and whoever reads it."""

import json
import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from structlog.processors import JSONRenderer

from worker.domain.visible import carries_all, visible

#: Characters kept of one value; whole replies have no place in a log.
LONGEST_VALUE = 4000
STANDARD_ERROR = 2


def handler(file: Path | None) -> logging.Handler:
    """What writes to *file*, also where somebody puts a new one in its place, or to standard error.

    Raises:
        OSError: *file* can't be written.
    """
    _open_standard_error(file)
    if file is None:
        return logging.StreamHandler(sys.stderr)
    return WatchedFileHandler(file, encoding="utf-8")


def renderer(file: Path | None) -> JSONRenderer:
    """What makes the line: letters as they are where they can be written, and as their numbers elsewhere."""
    return JSONRenderer(_dumps, ensure_ascii=file is None and not carries_all(sys.stderr))


def _dumps(line: Any, **options: Any) -> str:
    """*line* as JSON; control characters and the like are legal there, and do something to a terminal."""
    return visible(json.dumps(_cut(line), **options))


def _cut(line: Any) -> Any:
    """*line* without the ends of its longest values; a stack keeps its own, which says what it is about."""
    return {
        name: f"{value[: LONGEST_VALUE // 2]} … {value[-LONGEST_VALUE // 2 :]}"
        if isinstance(value, str) and len(value) > LONGEST_VALUE and name != "exception"
        else value
        for name, value in line.items()
    }


def _open_standard_error(file: Path | None) -> None:
    """Let standard error lead somewhere: stacks are written there by number, and never into whatever has that number.

    A process that was started with it closed, or detached, has it on /dev/null, or in *file* where there is one.
    """
    try:
        is_null = os.path.samestat(os.fstat(STANDARD_ERROR), Path(os.devnull).stat())
    except OSError:
        is_null, sys.stderr = True, None
    if is_null and (file is not None or sys.stderr is None):
        number = os.open(file or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if number != STANDARD_ERROR:
            os.dup2(number, STANDARD_ERROR)
            os.close(number)
    if sys.stderr is None:
        sys.stderr = os.fdopen(STANDARD_ERROR, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
