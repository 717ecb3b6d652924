"""Standard output and standard error, in any encoding, and with or without a reader."""

import codecs
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from typer.core import TyperGroup
from typer.exceptions import TyperException

from worker.domain.visible import visible

#: How a character is written that the output's encoding lacks.
SPELL = "outpatrol_spell"
#: Signs that we draw with, for outputs that have letters only.
SIGNS = {"█": "#", "░": ".", "–": "-", "…": ".", "→": ">", "×": "x", "•": "*", "─": "-", "━": "-", "│": "|", "┃": "|"}
#: The other characters of boxes, bars and spinners.
BOXES, DOTS = range(0x2500, 0x2580), range(0x2800, 0x2900)


class Commands(TyperGroup):
    """The commands. They fail at no character, and say in a sentence if the output can't be written."""

    def main(self, *args: Any, **more: Any) -> Any:
        # None if the shell closed it: `>&-`.
        sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors=SPELL)
        with _unwritable_as_sentence():
            return super().main(*args, **more)

    def make_context(self, *args: Any, **more: Any) -> Any:
        with _usage_errors_in_one_line():
            return super().make_context(*args, **more)

    def invoke(self, *args: Any, **more: Any) -> Any:
        with _usage_errors_in_one_line():
            return super().invoke(*args, **more)


@contextmanager
def _usage_errors_in_one_line() -> Iterator[None]:
    """They quote the words of the command line, which may hold anything."""
    try:
        yield
    except TyperException as error:
        error.message = visible(error.message)
        raise


@contextmanager
def _unwritable_as_sentence() -> Iterator[None]:
    try:
        yield
        # Flushed now, while an error can still be reported; when Python ends, it is too late.
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        _send_nowhere(sys.stdout)
        # A reader that closes the pipe has read enough and needs no sentence.
        if error.errno != errno.EPIPE:
            sys.stderr.write(f"outpatrol: standard output can't be written: {os.strerror(error.errno)}\n")
        raise SystemExit(1) from error


def _send_nowhere(stream: TextIO) -> None:
    """Discard what is still to be written to *stream*."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def spelled(text: str) -> str:
    """*text* as standard output will show it: characters that it lacks are escaped, so that columns fit."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, SPELL).decode(encoding)


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_sign, error.object[error.start : error.end])), error.end


def _sign(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    if ord(character) in DOTS:
        return "*"
    return "+" if ord(character) in BOXES else json.dumps(character)[1:-1]


codecs.register_error(SPELL, _spell)
