"""A command that is forked is as one that is started: what it is given, what it says, how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import children_of, exists
from tests.patience import until
from tests.preloading.asking import NurseryPopen, forked_commands
from tests.preloading.starting import ForkingPopen
from worker.lanes.supervisor import dying_with_us

COMMAND = (sys.executable, "-m", "tests.preloading.speaking")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _forked(forked: None) -> Any:
    """In the full run, too."""
    if issubclass(subprocess.Popen, NurseryPopen):
        yield
        return
    with forked_commands():
        yield


def both(what: str, **options: Any) -> tuple["subprocess.CompletedProcess[str]", "subprocess.CompletedProcess[str]"]:
    """How it ends as a fork and as a new interpreter, which a variable that is read early makes it."""
    given: dict[str, Any] = {"input": "heard", "capture_output": True, "text": True} | options
    environment = dict(os.environ) | options.get("env", {})
    forked = subprocess.run([*COMMAND, what], **(given | {"env": environment}))
    started = subprocess.run([*COMMAND, what], **(given | {"env": environment | {"PYTHONNODEBUGRANGES": ""}}))
    return forked, started


@pytest.mark.parametrize("options", [{"process_group": 0}, {"start_new_session": True}])
@pytest.mark.parametrize("what", ["itself", "code", "sentence", "interrupt", "at exit"])
def test_it_says_the_same_and_ends_the_same(what: str, options: dict[str, Any], tmp_path: Path) -> None:
    forked, started = both(what, env={"OUTPATROL_SAID": "something", "PYTHONPATH": f"{ROOT}"}, cwd=tmp_path, **options)

    assert forked.stdout == started.stdout
    assert forked.returncode == started.returncode
    assert forked.stderr.splitlines()[-1:] == started.stderr.splitlines()[-1:]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii:replace", ":backslashreplace"])
def test_its_streams_have_the_encoding_that_it_is_told(encoding: str) -> None:
    forked, started = both("itself", env={"PYTHONIOENCODING": encoding})

    assert json.loads(forked.stdout)["encodings"] == json.loads(started.stdout)["encodings"]


def test_an_error_that_nobody_caught_is_shown_and_is_code_1() -> None:
    forked, started = both("error")

    assert forked.returncode == started.returncode == 1
    assert forked.stderr.splitlines()[-1] == started.stderr.splitlines()[-1] == "ValueError: error"


def test_output_that_cannot_be_written_is_another_code() -> None:
    codes = []
    for variables in ({}, {"PYTHONNODEBUGRANGES": ""}):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run([*COMMAND, "line"], stdout=full, stderr=full, env=os.environ | variables)
        codes.append(done.returncode)

    assert codes[0] == codes[1] != 0


def test_it_is_forked_and_gets_signals_and_its_end_is_seen() -> None:
    with subprocess.Popen([*COMMAND, "wait"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"waits\n"
        # Our own child is the nursery.
        assert child.pid not in children_of(os.getpid())
        assert child.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.01)
        child.send_signal(signal.SIGTERM)

        assert child.wait() == -signal.SIGTERM
        assert child.poll() == -signal.SIGTERM


def test_it_ends_with_its_parent_where_that_is_wished() -> None:
    with forked_commands():
        child = subprocess.Popen([*COMMAND, "wait"], stdout=subprocess.PIPE, preexec_fn=dying_with_us())  # noqa: PLW1509
        assert child.stdout is not None
        with child.stdout as said:
            # By then it has asked to.
            assert said.readline() == b"waits\n"
        (parent,) = [each for each in children_of(os.getpid()) if child.pid in children_of(each)]
        os.kill(parent, signal.SIGKILL)
        until(lambda: not exists(child.pid), "the end of the child")

        # Nobody was there any more to tell how.
        assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    "options",
    [
        {"env": {"LANG": "C"}},
        {"shell": True},
        {"pass_fds": [0]},
        {"preexec_fn": lambda: None},
    ],
)
def test_what_a_fork_cannot_be_is_started(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForkingPopen, "_fork", None)
    with subprocess.Popen([*COMMAND, "code"], **options) as child:
        child.wait()
