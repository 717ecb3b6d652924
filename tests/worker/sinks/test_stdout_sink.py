"""The sink on standard output: whole lines however many processes share it, and a sentence when nobody reads."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.patience import PATIENCE_SECONDS

COUNT = 60
Output = int | IO[bytes]


def started(name: str, stdout: Output, count: int = COUNT) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.worker.sinks.printing", name, str(count)]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)


def complaints(process: "subprocess.Popen[bytes]") -> list[dict[str, list[str]]]:
    """What the sink of *process* said of events it did not take, once it has ended."""
    try:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, said.decode()
    return [json.loads(line) for line in said.splitlines()]


def ids_of(text: bytes) -> list[str]:
    """The ids of the lines of *text*, every one of which must be whole."""
    events = [json.loads(line) for line in text.splitlines()]
    assert all(event["padding"] == event["id"][0] * 5000 for event in events)
    return [event["id"] for event in events]


def test_events_are_lines_in_their_order() -> None:
    process = started("a", subprocess.PIPE)
    assert process.stdout is not None
    text = process.stdout.read()

    assert complaints(process) == []
    assert text.endswith(b"\n")
    assert ids_of(text) == [f"a-{number}" for number in range(COUNT)]


def test_processes_that_share_a_pipe_do_not_mix_their_lines() -> None:
    reading, writing = os.pipe()
    # The smallest there is, so that every line has to wait in the middle for the reader, and others could come first.
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    processes = [started(name, writing) for name in "abc"]
    os.close(writing)
    with os.fdopen(reading, "rb") as reader:
        text = reader.read()

    assert [complaints(process) for process in processes] == [[]] * 3
    assert sorted(ids_of(text)) == sorted(f"{name}-{number}" for name in "abc" for number in range(COUNT))


def test_a_socket_takes_events_as_a_pipe_does() -> None:
    ours, theirs = socket.socketpair()
    process = started("a", theirs.fileno())
    theirs.close()
    with ours, ours.makefile("rb") as reader:
        text = reader.read()

    assert complaints(process) == []
    assert ids_of(text) == [f"a-{number}" for number in range(COUNT)]


@pytest.mark.parametrize("kind", ["pipe", "named pipe", "full disk"])
def test_what_can_not_be_written_is_undelivered_with_a_sentence(tmp_path: Path, kind: str) -> None:
    writing = output_without_reader(tmp_path, kind)
    process = started("a", writing, count=4)
    os.close(writing)

    said = "No space left on device" if kind == "full disk" else "Broken pipe"
    sentence = f"events can't be written to standard output: {said}; remove sinks.stdout"
    assert complaints(process) == [{"0": ["SinkUnavailable", sentence], "1": ["SinkUnavailable", sentence]}] * 2


def output_without_reader(directory: Path, kind: str) -> int:
    if kind == "full disk":
        return os.open("/dev/full", os.O_WRONLY)
    if kind == "pipe":
        reading, writing = os.pipe()
    else:
        os.mkfifo(directory / "pipe")
        reading = os.open(directory / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        writing = os.open(directory / "pipe", os.O_WRONLY)
    os.close(reading)
    return writing
