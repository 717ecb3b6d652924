"""`outpatrol` where packages are missing: a sentence, and never a traceback."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from worker.cli.main import app

#: A module that is None there is one that can't be found.
WITHOUT = "import sys; sys.modules |= dict.fromkeys({missing!r}.split()); sys.argv = ['outpatrol', *{words}]; {run}"
RUN = "from worker.cli.entry import main; main()"


def without(missing: str, *words: str, run: str = RUN) -> "subprocess.CompletedProcess[str]":
    code = WITHOUT.format(missing=missing, words=words, run=run)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("package", ["typer", "celery", "structlog"])
def test_a_package_of_the_worker_that_is_missing_is_named_with_its_extra(package: str) -> None:
    done = without(package, "migrate")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"outpatrol: {package} is not installed; run: pip install 'outpatrol[worker]'\n"


@pytest.mark.parametrize("words", [("--version",), ("status", "--help")])
def test_it_says_its_version_and_its_help_without_settings(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, words)

    assert done.exit_code == 0
    assert version("outpatrol") in done.stdout or "Usage" in done.stdout


def test_a_module_of_our_own_that_is_missing_is_our_fault_and_shown_as_one() -> None:
    done = without("worker.cli.status", "migrate")

    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_the_emulated_eventgate_names_its_extra() -> None:
    done = without("jsonschema", "emulate", "eventgate")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "outpatrol: jsonschema is not installed; run: pip install 'outpatrol[emulators]'\n"


def test_the_other_commands_need_no_extra_of_the_emulators_or_of_kafka() -> None:
    assert without("jsonschema confluent_kafka", "--help").returncode == 0


def test_a_sink_that_needs_kafka_names_its_extra() -> None:
    settings = "from worker.events.kafka_kind import KafkaSection; KafkaSection(bootstrap_servers='127.0.0.1:1')"
    done = without("confluent_kafka", run=settings)

    assert "confluent-kafka is not installed; run: pip install 'outpatrol[kafka]'" in done.stderr
    assert without("jsonschema", run=settings).returncode == 0
