"""Has this process' commands forked by a nursery of its own, which starts with the first of them and ends with us."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from select import select
from typing import Any, ClassVar

from tests.preloading.forked import Child
from tests.preloading.nursery import STATUS
from tests.preloading.starting import ForkingPopen, read_early
from worker.lanes.supervisor import dying_with_us


class Nursery:
    """Forks for us, at the other end of a socket."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._lock, self._open = threading.Lock(), ExitStack()
        self._asking: socket.socket | None = None

    def fork(self, child: Child, files: Sequence[int]) -> int:
        """The process id of a new *child* with these *files*: its streams, and the pipe on which its end is told."""
        with self._lock:
            self._asking = self._asking or self._start()
            socket.send_fds(self._asking, [json.dumps(asdict(child)).encode()], files)
            pid: int = STATUS.unpack(self._asking.recv(STATUS.size))[0]
        return pid

    def end(self) -> None:
        self._open.close()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                preexec_fn=dying_with_us(),  # noqa: PLW1509 - two system calls
            )
        self._open.callback(process.wait)
        self._open.enter_context(ours)
        return ours


#: By no `-m`, as nobody else is started.
START = "from tests.preloading.nursery import main; main()"


class NurseryPopen(ForkingPopen):
    """Has the nursery fork; how the child ended is read from a pipe, since only its parent can wait for it."""

    nursery: ClassVar[Nursery]
    _told: int | None = None

    def _can_fork(self) -> bool:
        return True

    def _fork(self, child: Child, streams: Sequence[int]) -> int:
        self._told, pipe = os.pipe()
        try:
            return self.nursery.fork(child, [*streams, pipe])
        finally:
            os.close(pipe)

    def _internal_poll(self, _deadstate: int | None = None, **named: Any) -> Any:
        if self._told is None:
            return super()._internal_poll(_deadstate, **named)
        # What it takes to be told of an end is not the same in 3.12 and in 3.13.
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                self._take_end()
            finally:
                self._waitpid_lock.release()
        return self.returncode

    def _take_end(self) -> None:
        """Learn how it ended, if it has, unless another thread has just learned it."""
        pid, status = (0, 0) if self._told is None else self._look(self.pid, os.WNOHANG)
        if pid:
            self._handle_exitstatus(status)

    def _try_wait(self, wait_flags: int) -> Any:
        return super()._try_wait(wait_flags) if self._told is None else self._look(self.pid, wait_flags)

    def _look(self, pid: int, flags: int) -> tuple[int, int]:
        """As `os.waitpid` for a child of our own."""
        assert self._told is not None
        if flags & os.WNOHANG and not select([self._told], [], [], 0)[0]:
            return 0, 0
        told = os.read(self._told, STATUS.size)
        os.close(self._told)
        self._told = None
        # Nothing is told if its parent was killed, and it was ended with it.
        return pid, STATUS.unpack(told)[0] if told else int(signal.SIGKILL)


@contextmanager
def forked_commands() -> Iterator[type[NurseryPopen]]:
    """Until the end of the context, `python -m` of our own commands is a fork, and all else is started as always."""
    environment = dict(os.environ)

    class Popen(NurseryPopen):
        nursery, early = Nursery(environment), read_early(environment)

    before = subprocess.Popen
    subprocess.Popen = Popen  # type: ignore[misc]
    try:
        yield Popen
    finally:
        subprocess.Popen = before  # type: ignore[misc]
        Popen.nursery.end()
