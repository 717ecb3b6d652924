"""Ports for servers that are started now and listen in a while."""

import subprocess
import sys

import pytest

from worker.demo import processes
from worker.demo.processes import KEPT, free_port
from worker.domain.errors import CommandFailed

ANOTHER = "from worker.demo import processes; processes.PORTS = range({0}, {0} + 1); processes.free_port()"


def test_a_port_that_nobody_listens_on_yet_is_given_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(processes, "PORTS", range(port, port + 1))
    with pytest.raises(CommandFailed, match=f"no free port was found on 127.0.0.1 between {port} and"):
        free_port()

    other = subprocess.run([sys.executable, "-c", ANOTHER.format(port)], capture_output=True, text=True)
    assert f"no free port was found on 127.0.0.1 between {port} and" in other.stderr


def test_only_the_last_ones_are_kept_from_others() -> None:
    for _ in range(KEPT + 5):
        free_port()

    assert len(processes._keepers) == KEPT
