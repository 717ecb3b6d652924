"""Starts of our own commands without a new interpreter: `subprocess.Popen`, with `python -m MODULE` as a fork.

To import what a command imports costs a second of processor time, and a test with workers starts four or five. A fork
of a process that has imported it begins in the same state and costs a twentieth. Where the start of the interpreter
itself would make a difference (other options, the locale, certificates), it is started as always.
"""

import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tests.preloading.forked import Child, become
from worker.lanes.supervisor import die_with_parent

PACKAGES = ("worker", "celery", "tests", "benchmarks")
#: Variables that are read while a command runs, never before.
READ_LATE = ("OUTPATROL_", "PYTEST_", "COLUMNS=", "PYTHONIOENCODING=", "PYTHONWARNINGS=ignore")
Original: Any = subprocess.Popen
_signature = inspect.signature(Original._execute_child)


class ForkingPopen(Original):  # type: ignore[misc]
    """Forks this process itself while it has one thread, as the supervisor of workers has; it was a fork, too."""

    #: Of the process that forks, those variables that may have been read before.
    early: ClassVar[Mapping[str, str]] = {}

    def _execute_child(self, *arguments: Any) -> None:
        asked = _signature.bind(self, *arguments).arguments
        child = _child_of(asked, self.early) if self._can_fork() else None
        if child is None:
            super()._execute_child(*arguments)
            return
        given = (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])
        try:
            self.pid = self._fork(child, [number if each == -1 else each for number, each in enumerate(given)])
            self._child_created = True
        finally:
            pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(asked[name] for name in pipes))

    def _can_fork(self) -> bool:
        return threading.active_count() == 1

    def _fork(self, child: Child, streams: Sequence[int]) -> int:
        pid = os.fork()
        if pid == 0:
            become(child, streams)
        return pid


def _child_of(asked: Mapping[str, Any], early: Mapping[str, str]) -> Child | None:
    """What is *asked* of `Popen`, if it is a start of one of our commands that a fork can be."""
    match asked["args"]:
        case [sys.executable, "-m", str(module), *arguments] if module.partition(".")[0] in PACKAGES:
            pass
        case _:
            return None
    environment = dict(os.environ if asked["env"] is None else asked["env"])
    unusual = (asked["shell"], asked["pass_fds"], asked["uid"] is not None)
    # A partial of it, with the parent that it is to have.
    dies_with_parent = getattr(asked["preexec_fn"], "func", None) is die_with_parent
    if any(unusual) or not (dies_with_parent or asked["preexec_fn"] is None) or read_early(environment) != early:
        return None
    return Child(
        module,
        [str(each) for each in arguments],
        environment,
        None if asked["cwd"] is None else os.fspath(asked["cwd"]),
        asked["process_group"],
        asked["start_new_session"],
        dies_with_parent,
    )


def read_early(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that may have been read when modules were imported."""
    return {name: value for name, value in environment.items() if not f"{name}={value}".startswith(READ_LATE)}
