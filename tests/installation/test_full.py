"""The wheel in an empty environment with what a worker needs, called from outside of the repository."""

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.installation.environments import Environment, pip_install
from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import Processes

pytestmark = pytest.mark.long

SETTINGS = """\
redis_url = "{redis_url}"
[endpoint]
url = "http://127.0.0.1:1"
[wikis.enwiki]
database_url = "sqlite:///enwiki.db"
domain = "en.wikipedia.org"
language = "en"
"""
KAFKA = '[sinks.kafka]\nbootstrap_servers = "127.0.0.1:1"\n'


@pytest.fixture
def settings(full: Environment, redis_url: str) -> Path:
    """`outpatrol.toml` in the folder that commands are called in."""
    file = full.outside / "outpatrol.toml"
    file.write_text(SETTINGS.format(redis_url=redis_url))
    return file


def test_it_runs_what_was_installed(full: Environment) -> None:
    done = full.call("python", "-c", "import outbox, worker; print(outbox.__file__, worker.__file__)")

    assert str(ROOT) not in done.out
    assert done.out.count(str(full.directory)) == 2


def test_the_demo_scores_and_announces_two_hundred_edits(full: Environment) -> None:
    done = full.call("outpatrol", "demo", "--limit", "200", "--json")

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert [summary[key] for key in ("edits", "events", "distinct_event_ids", "dead_letters")] == [200, 200, 200, 0]


def test_celery_reports_on_the_application(full: Environment, settings: Path) -> None:
    done = full.call("celery", "-A", "worker.app", "report")

    assert done.code == 0, done.output
    assert "transport:redis" in done.out
    assert "worker.flight.result_backend:ScoreBackend" in done.out


def test_celery_without_settings_says_so_in_a_sentence(full: Environment) -> None:
    (full.outside / "outpatrol.toml").unlink(missing_ok=True)
    done = full.call("celery", "-A", "worker.app", "report")

    assert done.code == 1
    assert "Traceback" not in done.output
    assert done.err.startswith("outpatrol: ")


def test_a_worker_starts_with_celerys_own_command_and_ends_when_told_to(
    full: Environment, settings: Path, tmp_path: Path
) -> None:
    command: list[str | Path] = [
        full.program("celery"),
        "-A",
        "worker.app",
        "worker",
        "--concurrency",
        "1",
        "--loglevel",
        "INFO",
    ]
    with Processes(tmp_path) as processes:
        child = processes.start("worker", command, environment=full.variables, cwd=full.outside)
        processes.wait_until(child, lambda: " ready." in child.log.read_text(), seconds=PATIENCE_SECONDS)
        child.process.send_signal(signal.SIGTERM)

        assert child.process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in child.log.read_text()


def test_migrations_are_found_in_the_package(full: Environment, settings: Path) -> None:
    (full.outside / "enwiki.db").unlink(missing_ok=True)
    newest = max(file.stem for file in (ROOT / "migrations" / "versions").glob("*.py"))
    done = full.call("outpatrol", "migrate", "--json")

    assert done.code == 0, done.err
    assert json.loads(done.out) == {"enwiki": {"before": None, "after": newest, "attached": False}}
    assert full.call("outpatrol", "status", "--json").code == 0


def test_a_folder_of_migrations_where_it_is_called_is_not_ours(full: Environment, settings: Path) -> None:
    (full.outside / "enwiki.db").unlink(missing_ok=True)
    (full.outside / "migrations").mkdir(exist_ok=True)
    (full.outside / "migrations" / "env.py").write_text("raise SystemExit('of another project')\n")
    done = full.call("outpatrol", "migrate")

    assert done.code == 0, done.err


def test_kafka_is_asked_for_where_the_settings_name_it(full: Environment, settings: Path) -> None:
    settings.write_text(settings.read_text() + KAFKA)

    for command in (["outpatrol", "status"], ["celery", "-A", "worker.app", "report"]):
        done = full.call(*command)

        assert done.code == 1
        assert "confluent-kafka is not installed; run: pip install 'outpatrol[kafka]'" in done.err
        assert "Traceback" not in done.output


def test_the_front_door_asks_for_its_extra(full: Environment) -> None:
    done = full.call("outpatrol", "web")

    assert done.code == 1
    assert "starlette is not installed; run: pip install 'outpatrol[web]'" in done.err


def test_the_emulated_eventgate_asks_for_its_extra(full: Environment) -> None:
    done = full.call("outpatrol", "emulate", "eventgate", "--port", "0")

    assert (done.code, done.err) == (
        1,
        "outpatrol: jsonschema is not installed; run: pip install 'outpatrol[emulators]'\n",
    )


@pytest.mark.parametrize("python", sorted({"3.11", "3.12", "3.13"} - {f"3.{sys.version_info.minor}"}))
def test_every_other_python_that_is_promised_finds_its_packages(python: str, wheel: Path, tmp_path: Path) -> None:
    options: list[str | Path] = ["--dry-run", "--only-binary=:all:", "--python-version", python, "--target", tmp_path]
    result = pip_install([], *options, f"{wheel}[worker,kafka,emulators,web]")

    assert "Would install" in result
    assert "outpatrol-0.1.0" in result
