"""Emulated endpoints that a test has left alive and idle, for the next: each takes a second of the machine to start."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

import httpx

from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS, until
from worker.demo.processes import Child, Processes, answers, free_port

_directory = Path(tempfile.mkdtemp(prefix="outpatrol-endpoints-"))
_processes = Processes(_directory)
_spare: list[tuple[Child, int]] = []


@atexit.register
def _end_all() -> None:
    _processes.stop_all()
    shutil.rmtree(_directory, ignore_errors=True)


def take() -> tuple[Child, int]:
    """An endpoint with default settings and an empty call log, and its port."""
    child, port = _spare.pop() if _spare else _started()
    EmulatedEndpoint(f"http://127.0.0.1:{port}").reset()
    return child, port


def give_back(child: Child, port: int) -> None:
    """Keep *child* for the next test, if it still answers and has nothing to do for the last one."""
    endpoint = EmulatedEndpoint(f"http://127.0.0.1:{port}")
    try:
        until(lambda: endpoint.summary()["in_flight"] == 0, "the end of all calls", patience=1)
    except (httpx.HTTPError, AssertionError):
        _processes.stop(child)
    else:
        _spare.append((child, port))


def _started() -> tuple[Child, int]:
    port = free_port()
    command = [sys.executable, "-m", "worker.cli", "emulate", "scoring", "--any-wiki", "--port", str(port)]
    child = _processes.start(f"scoring-{port}", command, cwd=_directory)
    _processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
    return child, port
