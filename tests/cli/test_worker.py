"""`outpatrol worker`, and the options of Celery that make no sense for its processes."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.acceptance.commands import CELERY, OUTPATROL, call, outpatrol, write_settings
from tests.acceptance.running import children_of, environment, exists
from tests.patience import PATIENCE_SECONDS
from worker.cli.main import app
from worker.demo.processes import Child, Processes
from worker.tasks.process import REFUSED


@pytest.mark.parametrize(
    ("command", "options", "refused"),
    [
        ([*CELERY, "worker"], ["--pool", "solo"], "pool"),
        ([*CELERY, "worker"], ["-P", "processes"], "pool"),
        ([*CELERY, "worker"], ["--autoscale", "8,2"], "autoscale"),
        ([*CELERY, "worker"], ["-B"], "beat"),
        ([*OUTPATROL, "worker", "--processes", "1", "--"], ["-B"], "beat"),
    ],
)
def test_what_makes_no_sense_for_threads_is_refused_in_a_sentence(
    command: list[str], options: list[str], refused: str, tmp_path: Path
) -> None:
    write_settings(tmp_path)
    result = call([*command, *options], tmp_path)

    assert result.code == os.EX_CONFIG
    assert f"outpatrol: {REFUSED[refused]}\n" in result.err
    assert "Traceback" not in result.output


def test_a_pool_that_is_not_installed_is_refused_before_celery_looks_for_it(tmp_path: Path) -> None:
    write_settings(tmp_path)
    result = outpatrol(tmp_path, "worker", "--", "--pool=gevent")

    assert result.code == os.EX_CONFIG
    assert REFUSED["pool"] in result.err
    assert "Traceback" not in result.output


def test_an_option_that_celery_does_not_know_ends_the_command_instead_of_starting_it_again(tmp_path: Path) -> None:
    write_settings(tmp_path)
    result = outpatrol(tmp_path, "worker", "--processes", "1", "--", "--no-such-option")

    assert result.code == 2
    assert "--no-such-option" in result.err
    assert "process_ended" not in result.err


def test_wrong_settings_are_told_before_any_process_starts(tmp_path: Path) -> None:
    write_settings(tmp_path, worker={"threads": 1})
    result = outpatrol(tmp_path, "worker")

    assert result.code == 1
    assert "worker.threads" in result.err
    assert "Traceback" not in result.output


def test_the_help_has_an_example() -> None:
    assert "outpatrol worker --processes 4" in CliRunner().invoke(app, ["worker", "--help"]).output


def started(processes: Processes, directory: Path, *arguments: str) -> Child:
    """`outpatrol worker` in *directory*, once its processes are there; Redis does not answer them."""
    write_settings(directory)
    command = [*OUTPATROL, "worker", *arguments]
    child = processes.start("worker", command, cwd=directory, environment=environment(directory / "outpatrol.toml"))
    count = int(arguments[1])
    processes.wait_until(child, lambda: child.log.read_text().count('"redis_gone"') >= count, seconds=PATIENCE_SECONDS)
    return child


def ends_of(child: Child) -> list[dict[str, Any]]:
    """The log lines about processes that ended."""
    lines = [line for line in child.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    return [each for each in map(json.loads, lines) if each["event"] == "process_ended"]


def arguments(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


@pytest.mark.usefixtures("new_interpreters")
def test_each_process_has_a_name_of_its_own_and_one_that_is_killed_is_started_again_under_it(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        child = started(processes, tmp_path, "--processes", "2", "--name", "here")
        before = {pid: arguments(pid) for pid in children_of(child.process.pid)}
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        pid = child.process.pid
        processes.wait_until(child, lambda: bool(children_of(pid) - before.keys()), seconds=PATIENCE_SECONDS)
        (new,) = children_of(child.process.pid) - before.keys()
        processes.wait_until(child, lambda: arguments(new) == before[victim], seconds=PATIENCE_SECONDS)
        (end,) = ends_of(child)

    assert {name for each in before.values() for name in each if "@" in name} == {"here-1@%h", "here-2@%h"}
    assert (end["pid"], end["code"], end["again_in_seconds"]) == (victim, "SIGKILL", 0.5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_ends_all_processes_in_order_though_redis_does_not_answer(
    number: signal.Signals, tmp_path: Path
) -> None:
    with Processes(tmp_path) as processes:
        child = started(processes, tmp_path, "--processes", "2")
        children = children_of(child.process.pid)
        child.process.send_signal(number)
        child.process.wait(PATIENCE_SECONDS)

    assert not any(map(exists, children))
    assert child.process.returncode == 0
    assert "process_killed" not in child.log.read_text()
    assert "Traceback" not in child.log.read_text()


def test_what_ends_at_once_again_and_again_is_started_less_and_less_often(tmp_path: Path) -> None:
    """In a process of its own, which takes the signals."""
    script = (
        "from worker.config.telemetry import configure_logging; from worker.lanes.supervisor import Supervisor\n"
        "configure_logging(); raise SystemExit(Supervisor({'broken': ['false']}, stop_seconds=1).run())"
    )
    with Processes(tmp_path) as processes:
        child = processes.start("supervisor", [OUTPATROL[0], "-c", script], cwd=tmp_path)
        processes.wait_until(child, lambda: len(ends_of(child)) >= 3, seconds=PATIENCE_SECONDS)
        child.process.terminate()
        child.process.wait(PATIENCE_SECONDS)

    assert [end["again_in_seconds"] for end in ends_of(child)[:3]] == [0.5, 1.0, 2.0]
    assert child.process.returncode == 0


def test_a_process_that_does_not_end_when_asked_is_killed_in_time(tmp_path: Path) -> None:
    script = (
        "from worker.config.telemetry import configure_logging; from worker.lanes.supervisor import Supervisor\n"
        "configure_logging()\n"
        "deaf = ['bash', '-c', 'trap \"\" TERM; echo listening; while true; do sleep 0.1; done']\n"
        "raise SystemExit(Supervisor({'deaf': deaf}, stop_seconds=0.5).run())"
    )
    with Processes(tmp_path) as processes:
        child = processes.start("supervisor", [OUTPATROL[0], "-c", script], cwd=tmp_path)
        processes.wait_until(child, lambda: "listening" in child.log.read_text(), seconds=PATIENCE_SECONDS)
        child.process.terminate()

        assert child.process.wait(PATIENCE_SECONDS) == 1
    assert '"process_killed"' in child.log.read_text()
