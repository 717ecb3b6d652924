"""What is wrong is said in one sentence that names it, with a code other than 0, no traceback and no password."""

import json
import os
import random
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outbox import EDITS
from tests.acceptance.commands import (
    CELERY,
    NOBODY_LISTENS,
    OUTPATROL,
    PASSWORD,
    Finished,
    call,
    outpatrol,
    write_settings,
)
from tests.patience import PATIENCE_SECONDS
from worker.cli.main import app
from worker.demo.processes import Processes
from worker.events.file_sink import FILE
from worker.scores.own_tables import BACKFILL


def assert_says(ended: Finished, *words: str, code: int = 1) -> None:
    assert ended.code == code, ended.output
    for word in words:
        assert word in ended.err
    assert "Traceback" not in ended.output
    assert PASSWORD not in ended.output
    # One sentence: one line, not counting a progress bar that stopped.
    assert len([line for line in ended.err.splitlines() if "outpatrol: " in line]) == 1


def a_line(revision: int, **changes: object) -> bytes:
    """A line of EventStreams' recentchange."""
    event = {
        "type": "edit",
        "wiki": "enwiki",
        "id": revision,
        "title": f"Page {revision}",
        "namespace": 0,
        "timestamp": 1767225600,
        "user": "Alice",
        "bot": False,
        "minor": False,
        "revision": {"old": revision - 1, "new": revision},
        "length": {"old": 10, "new": 20},
    }
    return json.dumps(event | changes).encode() + b"\n"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with settings and the migrated database of enwiki; Redis does not answer."""
    directory = tmp_path_factory.mktemp("migrated")
    write_settings(directory)
    assert outpatrol(directory, "migrate").code == 0
    return directory


@pytest.mark.parametrize("command", [(*OUTPATROL, "status"), (*CELERY, "worker"), (*CELERY, "beat")])
def test_missing_settings_are_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert_says(call(command, tmp_path), "no outpatrol.toml here", "wikis: Field required", "OUTPATROL_WIKIS")


@pytest.mark.parametrize("command", [(*OUTPATROL, "status"), (*CELERY, "worker")])
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(tmp_path: Path, command: tuple[str, ...]) -> None:
    write_settings(tmp_path, poll_seconds=PASSWORD)
    assert_says(call(command, tmp_path), "outpatrol.toml", "poll_seconds", "OUTPATROL_POLL_SECONDS")


def test_a_settings_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "outpatrol.toml").write_text(f"redis_url = [[[ {PASSWORD}")
    assert_says(outpatrol(tmp_path, "status"), "outpatrol.toml", "correct the file")


def test_a_wiki_that_is_not_configured_is_named(migrated: Path) -> None:
    assert_says(outpatrol(migrated, "status", "--wiki", "xxwiki"), "'xxwiki'", "there are enwiki")


@pytest.mark.parametrize("command", ["migrate", "status"])
def test_a_database_server_that_is_down_is_named_without_its_password(tmp_path: Path, command: str) -> None:
    write_settings(tmp_path, database_url=f"mariadb+pymysql://outpatrol:{PASSWORD}@{NOBODY_LISTENS}/enwiki")
    assert_says(outpatrol(tmp_path, command), "enwiki", NOBODY_LISTENS, "does not answer", "wikis.enwiki.database_url")


def test_a_database_that_is_not_migrated_is_named_with_the_cure(tmp_path: Path) -> None:
    write_settings(tmp_path)
    assert_says(outpatrol(tmp_path, "status"), "enwiki.db", "run: outpatrol migrate --wiki enwiki")


def test_a_replay_file_that_is_missing_is_named(migrated: Path) -> None:
    assert_says(outpatrol(migrated, "replay", "nothing.ndjson"), "nothing.ndjson can't be read", "No such file")


def test_a_replay_file_that_is_not_compressed_as_its_name_says_is_named(migrated: Path, tmp_path: Path) -> None:
    file = tmp_path / "noise.ndjson.gz"
    file.write_bytes(random.Random(1).randbytes(3000))
    assert_says(outpatrol(migrated, "replay", file), "noise.ndjson.gz can't be read", "gzip")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = outpatrol(tmp_path, "emulate", "scoring", "--port", str(port))

    assert_says(ended, f"127.0.0.1:{port}", "--port")


def test_lines_that_are_no_edits_are_left_out_and_reported_by_number(migrated: Path) -> None:
    lines = a_line(11) + b"\xff\x00 not JSON\n" + a_line(12, type="log") + a_line(13, wiki="xxwiki") + a_line(14)
    ended = outpatrol(migrated, "replay", "-", stdin=lines)

    assert ended.code == 0
    assert [word for word in ("line 1:", "line 2:", "line 3:", "line 4:", "line 5:") if word in ended.err] == [
        "line 2:",
        "line 3:",
        "line 4:",
    ]
    assert "2 edits saved on 1 wikis" in ended.err
    assert "Traceback" not in ended.output


def test_strict_replay_ends_with_1_if_a_line_was_left_out(migrated: Path) -> None:
    ended = outpatrol(migrated, "replay", "-", "--strict", stdin=a_line(21) + b"{}\n")

    assert_says(ended, "line 2:", "1 lines were left out", "--strict")


def test_without_redis_a_replay_saves_its_edits_and_warns_once(migrated: Path) -> None:
    ended = outpatrol(migrated, "replay", "-", "--json", stdin=b"".join(map(a_line, range(31, 41))))

    assert ended.code == 0
    assert json.loads(ended.out)["edits"] == 10
    assert ended.err.count("Redis does not answer") == 1
    assert "Traceback" not in ended.output
    assert PASSWORD not in ended.output


def test_without_redis_the_worker_says_so_and_goes_on_trying(migrated: Path, tmp_path: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("OUTPATROL_")}
    with Processes(tmp_path) as processes:
        child = processes.start(
            "worker", [*CELERY, "worker", "--concurrency", "1"], cwd=migrated, environment=variables
        )
        processes.wait_until(child, lambda: '"redis_gone"' in child.log.read_text(), seconds=PATIENCE_SECONDS)
        still_runs = child.process.poll() is None

    log = child.log.read_text()
    assert still_runs
    assert "start it, or correct redis_url" in log
    assert "Traceback" not in log
    assert PASSWORD not in log


def test_status_as_json_has_every_state_of_every_lane(migrated: Path) -> None:
    ended = outpatrol(migrated, "status", "--json")
    states = {"lane", "ready", "claimed", "waiting", "dead", "oldest_age_seconds"}

    lanes = json.loads(ended.out)["enwiki"]
    assert lanes.keys() == {EDITS.name, FILE.lane.name, BACKFILL.name}
    assert all(set(status) == states for status in lanes.values())


@pytest.mark.parametrize("command", ["demo", "migrate", "replay", "status", "emulate scoring"])
def test_the_help_of_each_command_has_an_example(command: str) -> None:
    ended = CliRunner().invoke(app, [*command.split(), "--help"])

    assert ended.exit_code == 0
    assert f"outpatrol {command}" in ended.output.partition("Example:")[2]
