"""`--logfile`, `--detach` and `--loglevel` of Celery's worker and beat: honoured, or refused in a sentence."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from tests.acceptance.commands import CELERY, OUTPATROL, call, outpatrol, write_settings
from tests.acceptance.running import environment, exists
from tests.patience import until
from worker.app import DETACHED, look_at_files
from worker.demo.processes import Processes
from worker.tasks.process import REFUSED


def lines(file: Path) -> list[dict[str, Any]]:
    """What *file* holds in whole lines, all of which is JSON."""
    return [json.loads(line) for line in file.read_text().split("\n")[:-1]] if file.is_file() else []


@contextmanager
def ended_at_last(pid_file: Path) -> Iterator[int]:
    """The process id that a detached process writes there, and which the test ends."""
    until(lambda: pid_file.is_file() and pid_file.read_text().strip().isdigit(), "a process id")
    pid = int(pid_file.read_text())
    try:
        yield pid
        os.kill(pid, signal.SIGTERM)
        until(lambda: not exists(pid), "the end of a detached process")
    finally:
        if exists(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_detached_process_writes_its_log_and_its_stacks_into_the_file(command: str, tmp_path: Path) -> None:
    write_settings(tmp_path)
    log, pid_file = tmp_path / "its.log", tmp_path / "its.pid"
    done = call([*CELERY, command, "--detach", "--logfile", str(log), "--pidfile", str(pid_file)], tmp_path)

    assert done.code == 0
    with ended_at_last(pid_file) as pid:
        until(lambda: any(line["event"] == "redis_gone" for line in lines(log)), "a line of the log")
        assert Path(f"/proc/{pid}/fd/2").readlink() == log


def test_each_process_that_is_kept_running_writes_into_the_file_that_is_named(tmp_path: Path) -> None:
    write_settings(tmp_path)
    options = ["--processes", "1", "--name", "here", "--", "--logfile", "of-%n.log", "--loglevel", "DEBUG"]
    with Processes(tmp_path) as processes:
        its = environment(tmp_path / "outpatrol.toml")
        child = processes.start("worker", [*OUTPATROL, "worker", *options], cwd=tmp_path, environment=its)
        log = tmp_path / "of-here-1.log"
        # Of the level that was asked for, in place of that of the settings.
        until(lambda: any(line["level"] == "debug" for line in lines(log)), "a line of the log")
        processes.stop(child)

    assert '"event"' not in child.log.read_text()


def test_what_would_be_lost_or_can_not_be_done_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_settings(tmp_path)
    lost = call([*CELERY, "worker", "-D"], tmp_path)
    kept = outpatrol(tmp_path, "worker", "--", "--detach")

    assert (lost.code, lost.err) == (os.EX_CONFIG, f"outpatrol: {DETACHED}\n")
    assert (kept.code, kept.err.strip()) == (os.EX_CONFIG, f"outpatrol: {REFUSED['detach']}")


@pytest.mark.parametrize(
    ("option", "file", "why"),
    [
        ("logfile", "nowhere/its", "there is no directory nowhere"),
        ("pidfile", "nowhere/its", "there is no directory nowhere"),
        ("statedb", "nowhere/its", "there is no directory nowhere"),
        ("logfile", ".", "it is a directory"),
    ],
)
def test_a_file_that_can_not_be_written_is_refused_before_anything_starts(
    option: str, file: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    context = click.Context(click.Command("worker"))
    context.params = {"detach": False, option: file}
    with pytest.raises(click.exceptions.Exit) as end:
        look_at_files(context, click.Option(["--any"]), None)

    assert end.value.exit_code == os.EX_CONFIG
    assert f"outpatrol: --{option}: {file} can't be written: {why}; correct the path" in capsys.readouterr().err


def test_a_file_that_can_be_written_is_no_reason_to_refuse(tmp_path: Path) -> None:
    context = click.Context(click.Command("worker"))
    context.params = {"detach": True, "logfile": str(tmp_path / "of-%n.log"), "pidfile": str(tmp_path / "its.pid")}

    look_at_files(context, click.Option(["--any"]), None)
