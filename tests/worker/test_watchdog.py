"""The watchdog ends a stuck process whatever else is broken in it; each process here is a real one."""

import signal
import subprocess
import sys

import pytest

from tests.patience import PATIENCE_SECONDS
from worker.lanes.supervisor import STUCK

STUCK_PROCESS = """
import os, sys, time
from worker.config.settings_sections import WorkerSettings
from worker.config.telemetry import configure_logging
from worker.lanes.held import Held
from worker.lanes.watchdog import Tasks, Watchdog

class Loop:
    def soon(self, work): pass

class Turns:
    held = Held()
    def release_all(self, error, seconds): {release_all}

configure_logging()
{first}
settings = WorkerSettings(silent_seconds=0.5)
Watchdog(loop=Loop(), turns=Turns(), tasks=Tasks(), settings=settings).start()
{then}
time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("release_all", "then"),
    [
        ("return 0", "pass"),
        ("raise RuntimeError('broken')", "pass"),
        ("return 0", "os.close(2)"),
        ("return 0", "sys.stderr.close()"),
    ],
    ids=["nothing", "giving_back", "log", "stream"],
)
def test_a_stuck_process_ends_though_more_is_broken_in_it(release_all: str, then: str) -> None:
    script = STUCK_PROCESS.format(release_all=release_all, first="", then=then)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=PATIENCE_SECONDS)

    assert ended.returncode == STUCK


#: Its log is a pipe that is full, and that nobody reads.
FULL_LOG = """
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
os.dup2(writer, 2)
"""


def test_a_stuck_process_ends_though_its_log_takes_nothing() -> None:
    quick = "import worker.lanes.watchdog as it\nit.MARGIN_SECONDS = it.WRITING_SECONDS = 0.3\n"
    script = quick + STUCK_PROCESS.format(release_all="return 0", first=FULL_LOG, then="")
    ended = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE_SECONDS)

    assert ended.returncode == -signal.SIGALRM
