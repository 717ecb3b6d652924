"""Keeps processes running: one that ends is started again, with backoff, until all are asked to end."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FrameType

from worker.config.telemetry import log

LOOK_SECONDS = 0.1
#: Seconds before an ended process is started again; doubled each time it ends within `STEADY_SECONDS`.
FIRST_DELAY, LAST_DELAY = 0.5, 30.0
STEADY_SECONDS = 60.0
#: Exit codes of wrong options and of wrong settings; starting again would not help.
HOPELESS = frozenset({os.EX_CONFIG, 2})
#: The exit code of a process that was stuck, and ended so that it is started again.
STUCK = os.EX_SOFTWARE
#: From linux/prctl.h: have the kernel signal us when our parent dies, however it dies.
PR_SET_PDEATHSIG = 1
#: As a shell shows that a process was ended by SIGTERM.
ORPHANED = 128 + signal.SIGTERM

CURES = {
    STUCK: "it was stuck; its stacks are above in the log: report where they stand still",
    -signal.SIGALRM: "it was stuck and could not write why; see who reads its log, and what holds them up",
    -signal.SIGKILL: "see in dmesg whether the kernel ended it because memory ran out; if so, lower worker.processes",
}
OTHER_CURE = "look at the lines above this one in the log"


@dataclass(slots=True)
class _Kept:
    """One process that is kept running."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    starts: int = 0
    delay: float = FIRST_DELAY
    #: When to start it, in monotonic seconds.
    due: float = 0.0

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class Signals:
    """The signals by which a process was asked to end, in their order."""

    received: list[int] = field(default_factory=list)

    @property
    def hurry(self) -> bool:
        """Whether to end without waiting for the work under way: Ctrl-C twice, or Ctrl-backslash."""
        return signal.SIGQUIT in self.received or self.received.count(signal.SIGINT) > 1


#: Those that ask a process to end.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


class Supervisor:
    """Keeps *commands* running, each under its name; they are asked to end with us, and killed after *stop_seconds*."""

    def __init__(self, commands: Mapping[str, Sequence[str]], *, stop_seconds: float) -> None:
        self._kept = [_Kept(name, command) for name, command in commands.items()]
        self._stop_seconds = stop_seconds
        self._signals = Signals()

    def run(self) -> int:
        """Run until this process is asked to end, or one ends at its first start with an error that no restart cures.

        Returns the exit code: 0, that of the hopeless process, or 1 if not all ended in order.
        """
        for each in ENDING:
            # If our parent had it ignored, as nohup does, it stays ignored.
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, self._ask)
        hopeless = 0
        try:
            while not (self._signals.received or hopeless):
                hopeless = next((code for each in self._kept if (code := self._look_after(each))), 0)
                time.sleep(LOOK_SECONDS)
        finally:
            in_order = self._end()
        return hopeless or int(not in_order)

    def _ask(self, number: int, _: FrameType | None) -> None:
        self._signals.received.append(number)

    def _look_after(self, kept: _Kept) -> int:
        """Start *kept* if it is due, or log that it has ended; returns its exit code if it is hopeless."""
        now = time.monotonic()
        if kept.process is None:
            if now >= kept.due:
                kept.process, kept.started, kept.starts = _start(kept.command), now, kept.starts + 1
            return 0
        code = kept.process.poll()
        if code is None:
            return 0
        if kept.starts == 1 and code in HOPELESS:
            return code
        if now - kept.started >= STEADY_SECONDS:
            kept.delay = FIRST_DELAY
        log.error(
            "process_ended",
            process=kept.name,
            pid=kept.process.pid,
            code=signal.Signals(-code).name if code < 0 else code,
            again_in_seconds=kept.delay,
            cure=CURES.get(code, OTHER_CURE),
        )
        kept.process, kept.due, kept.delay = None, now + kept.delay, min(LAST_DELAY, 2 * kept.delay)
        return 0

    def _end(self) -> bool:
        """Ask all to end, kill those that do not, and return whether each ended in order."""
        deadline = time.monotonic() + self._stop_seconds
        self._send(signal.SIGTERM)
        hurried = False
        while any(each.lives() for each in self._kept) and time.monotonic() < deadline:
            if self._signals.hurry and not hurried:
                hurried = True
                self._send(signal.SIGQUIT)
            time.sleep(LOOK_SECONDS)
        for each in self._kept:
            if each.process is not None and each.lives():
                log.error("process_killed", process=each.name, pid=each.process.pid, seconds=self._stop_seconds)
                each.process.kill()
                each.process.wait()
        # A process that got the signal before it handled signals was ended by it.
        return all(each.process is None or each.process.returncode in (0, -signal.SIGTERM) for each in self._kept)

    def _send(self, number: signal.Signals) -> None:
        for each in self._kept:
            if each.process is not None and each.lives():
                each.process.send_signal(number)


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    # In our process group, so that a signal to the group reaches them all.
    return subprocess.Popen(  # noqa: S603 - our own commands, no shell
        command,
        stdin=subprocess.DEVNULL,
        # Safe here: it makes two system calls, between fork and exec, in a process that has one thread.
        preexec_fn=dying_with_us(),  # noqa: PLW1509
    )


def dying_with_us() -> Callable[[], None] | None:
    """What a child of this process does between fork and exec so that it ends when we do, however we end."""
    return partial(die_with_parent, os.getpid()) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Have the kernel ask this process to end when its *parent* does; end at once, as `ORPHANED`, if it has ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # The kernel tells nobody of an end that was before the question.
        os._exit(ORPHANED)
