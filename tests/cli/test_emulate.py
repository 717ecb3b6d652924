"""`outpatrol emulate …`: the emulators start where they are told to, and end on a signal."""

import sys
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import Processes, answers, free_port


@pytest.mark.parametrize(
    ("options", "path", "says"),
    [
        (["wiki"], "/w/api.php?action=query&format=json&formatversion=2", "batchcomplete"),
        (["scoring", "--any-wiki"], "/v3/scores/mywiki", "articlequality"),
    ],
)
def test_an_emulator_answers_at_the_port_that_it_is_given(
    tmp_path: Path, options: list[str], path: str, says: str
) -> None:
    port = free_port()
    with Processes(tmp_path) as processes:
        command = [sys.executable, "-m", "worker.cli", "emulate", *options, "--port", str(port)]
        child = processes.start("emulator", command)
        processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        reply = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=PATIENCE_SECONDS)

    assert (reply.status_code, says in reply.text) == (200, True)
