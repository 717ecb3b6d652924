"""Child processes that end with this one; each has its own log, and is stopped by its process id, never by name."""

import os
import random
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.domain.errors import CommandFailed
from worker.lanes.supervisor import dying_with_us

#: Seconds; longer than a turn takes by default, so that a worker can finish it.
STOP_SECONDS = 30
#: Below the ports that kernels give to outgoing connections.
PORTS = range(15_000, 32_000)
#: So many of the ports that were given out last are kept from others, for a server may take a while to listen.
KEPT = 64
#: A generator of its own, since tests seed the shared one.
_luck = random.SystemRandom()
#: For each of them the descriptor of a socket of the same number that carries datagrams, which no server here does.
_keepers: deque[int] = deque()


@dataclass(slots=True)
class Child:
    """One running child."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def end_of_log(self, lines: int = 5) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()[-lines:]


@dataclass(slots=True)
class Processes:
    """The children of one command or test run; leaving the context stops them all, the last started first."""

    directory: Path
    children: list[Child] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
    ) -> Child:
        """Start *command* with its output in `<name>.log` of the directory; as another *user*, if one is given.

        Raises:
            CommandFailed: the program can't be started.
        """
        log = self.directory / f"{name}.log"
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment) if environment is not None else None,
                    cwd=cwd,
                    user=user,
                    group=user,
                    extra_groups=[] if user else None,
                    # A group of its own, so that a Ctrl-C meant for us does not reach it before we end it in order.
                    process_group=0,
                    # Safe here: it makes two system calls, between fork and exec.
                    preexec_fn=dying_with_us(),  # noqa: PLW1509
                )
        except OSError as error:
            raise CommandFailed(f"{name}: {command[0]} can't be started: {error.strerror}") from error
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def wait_until(self, child: Child, is_ready: Callable[[], bool], *, seconds: float = 120) -> None:
        """Wait until *child* is ready.

        Raises:
            CommandFailed: it ended, or was not ready in time; the text has the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            if child.process.poll() is not None:
                raise CommandFailed(
                    f"{child.name} ended with code {child.process.returncode}; its log {child.log} ends:",
                    child.end_of_log(),
                )
            if time.monotonic() > deadline:
                raise CommandFailed(
                    f"{child.name} was not ready within {seconds:g} s; its log {child.log} ends:", child.end_of_log()
                )
            time.sleep(0.05)

    def stop(self, child: Child) -> None:
        """Stop *child* by its process id: first with SIGTERM, then, after `STOP_SECONDS`, by killing its group."""
        if child.process.poll() is None:
            child.process.terminate()
            try:
                child.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                kill_group(child)
        child.process.wait()
        if child in self.children:
            self.children.remove(child)

    def stop_all(self) -> None:
        for child in reversed(list(self.children)):
            self.stop(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop_all()


def kill_group(child: Child) -> None:
    """SIGKILL *child* and the children it has."""
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)


def free_port() -> int:
    """A loopback port that is free at this moment, and that nobody can take before a server does.

    That is, no outgoing connection, and none of the processes that find their ports here.

    Raises:
        CommandFailed: none was found.
    """
    for port in _luck.sample(PORTS, min(100, len(PORTS))):
        with socket.socket() as listener, socket.socket(type=socket.SOCK_DGRAM) as keeper, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            keeper.bind(("127.0.0.1", port))
            _keepers.append(keeper.detach())
            if len(_keepers) > KEPT:
                os.close(_keepers.popleft())
            return port
    raise CommandFailed(f"no free port was found on 127.0.0.1 between {PORTS.start} and {PORTS.stop}")


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0
