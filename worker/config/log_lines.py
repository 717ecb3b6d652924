"""Where log lines go and how they are written: each is one line of JSON, whatever its values hold."""

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
    """A handler that writes to *file*, also after somebody has replaced that file, or to standard error.

    Raises:
        OSError: *file* can't be written.
    """
    _open_standard_error(file)
    if file is None:
        return logging.StreamHandler(sys.stderr)
    return WatchedFileHandler(file, encoding="utf-8")


def renderer(file: Path | None) -> JSONRenderer:
    """A function that makes the line: letters stay as they are if they can be written, and are escaped otherwise."""
    return JSONRenderer(_dumps, ensure_ascii=file is None and not carries_all(sys.stderr))


def _dumps(line: Any, **options: Any) -> str:
    """*line* as JSON, with control characters and the like escaped: JSON allows some that a terminal obeys."""
    return visible(json.dumps(_cut(line), **options))


def _cut(line: Any) -> Any:
    """*line* without the middle of its longest values; a stack is kept whole."""
    return {
        name: f"{value[: LONGEST_VALUE // 2]} … {value[-LONGEST_VALUE // 2 :]}"
        if isinstance(value, str) and len(value) > LONGEST_VALUE and name != "exception"
        else value
        for name, value in line.items()
    }


def _open_standard_error(file: Path | None) -> None:
    """Make sure that standard error is open, since stacks are written to its number, which another file could get.

    In a process that was started with it closed, or detached, it leads to /dev/null, or to *file* if there is one.
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
