"""What a fork does to be as `python -m MODULE` would be: its own arguments, streams, signals, warnings and end."""

import atexit
import codecs
import io
import logging
import os
import runpy
import signal
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog

from worker.lanes.supervisor import die_with_parent

#: As the interpreter exits where it can't write what its streams still held.
NOT_FLUSHED = 120
MOST_FILES = 4096
#: As this interpreter has them: the encoding of streams, and what becomes of letters that it lacks.
_ENCODING, _ERRORS = (sys.__stdin__.encoding, sys.__stdin__.errors) if sys.__stdin__ else ("utf-8", "strict")
_UNBUFFERED = isinstance(sys.__stdout__, io.TextIOWrapper) and sys.__stdout__.write_through


@dataclass(frozen=True, slots=True)
class Child:
    """What the new process is to be; *process_group* as `setpgid` takes it, or -1 for its parent's."""

    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: str | None
    process_group: int
    leads_session: bool
    dies_with_parent: bool


def become(child: Child, streams: Sequence[int]) -> NoReturn:
    """In a fork: be *child*, with the descriptors *streams* for its input, output and errors."""
    if child.leads_session:
        os.setsid()
    if child.process_group >= 0:
        os.setpgid(0, child.process_group)
    if child.dies_with_parent:
        die_with_parent(os.getppid())
    signal.set_wakeup_fd(-1)
    # First out of the way of each other.
    for number, stream in enumerate([os.dup2(each, MOST_FILES - 1 - each) for each in streams]):
        os.dup2(stream, number)
    os.closerange(3, MOST_FILES)
    os.environ.clear()
    os.environ.update(child.environment)
    if child.cwd is not None:
        os.chdir(child.cwd)
    _renew()
    code = _run(child.module, child.arguments)
    with suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError):
            code = code or NOT_FLUSHED
    os._exit(code)


def _renew() -> None:
    """Forget what the process that was forked had been told, and take the streams that this one was given."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    # As the interpreter does at its start.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    structlog.reset_defaults()
    encoding, errors = _in_which_streams_are()
    sys.stdin = sys.__stdin__ = _stream(0, "r", encoding, errors)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w", encoding, errors)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w", encoding, "backslashreplace")  # type: ignore[misc]
    if os.environ.get("PYTHONWARNINGS") == "ignore":
        warnings.simplefilter("ignore")


def _in_which_streams_are() -> tuple[str, str | None]:
    """The encoding, and what becomes of letters that it lacks, as `PYTHONIOENCODING` is read by the interpreter."""
    given = os.environ.get("PYTHONIOENCODING")
    if not given:
        return _ENCODING, _ERRORS
    encoding, _, errors = given.partition(":")
    return codecs.lookup(encoding or _ENCODING).name, errors or "strict"


def _stream(number: int, mode: str, encoding: str, errors: str | None) -> io.TextIOWrapper:
    raw = io.FileIO(number, mode, closefd=False)
    if mode == "r":
        return io.TextIOWrapper(io.BufferedReader(raw), encoding, errors)
    if _UNBUFFERED:
        return io.TextIOWrapper(raw, encoding, errors, write_through=True)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=number == 2 or raw.isatty())


def _run(module: str, arguments: Sequence[str]) -> int:
    """Run *module* as the main program, and return the code that it ends with."""
    sys.argv = [module, *arguments]
    sys.orig_argv = [sys.executable, "-m", module, *arguments]
    sys.path[0] = os.getcwd()  # noqa: PTH109 - a text, as the interpreter puts it there
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return _code(error.code)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - whatever it is, it ends the program
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _code(given: Any) -> int:
    if given is None:
        return 0
    if isinstance(given, int):
        return given & 0xFF
    sys.stderr.write(f"{given}\n")
    return 1
