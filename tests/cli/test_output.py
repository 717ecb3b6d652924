"""What commands print: safe for a terminal, of any encoding, and without a traceback where nobody reads it."""

import csv
import io
import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from outbox import EDITS, Dead, claim, record, settle
from outbox.database import Database
from tests.acceptance.commands import OUTPATROL
from tests.acceptance.running import environment
from tests.builders import an_edit
from tests.cli.conftest import Run
from tests.cli.recent_changes import save_scored
from worker.cli.console import fail
from worker.cli.main import app

HOSTILE = "P\x1b]0;owned\x07\x1b[2J\r\nQ\x9b31m\u202eé"
SHOWN = "P\\u001b]0;owned\\u0007\\u001b[2J\\r\\nQ\\u009b31m\\u202eé"
#: In no encoding of one byte, in latin-1, and in ASCII.
TITLE = "日本 é x"
FORMS = [(), ("--json",), ("--csv",)]
ENCODINGS = ["ascii", "latin-1", "utf-8"]


@pytest.fixture
def hostile(wiki: Database) -> Database:
    save_scored(wiki, (an_edit(revision=1, title=HOSTILE, user=HOSTILE), {"damaging": 0.7}))
    return wiki


@pytest.fixture
def foreign(wiki: Database) -> Database:
    save_scored(wiki, (an_edit(revision=1, title=TITLE, user=TITLE), {"damaging": 0.7}))
    return wiki


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def changes(run: Run, *form: str) -> Result:
    return run("recentchanges", "--wiki", "enwiki", "--since", "2026-01-01", *form)


def give_up(database: Database, error: str) -> None:
    with database.transaction() as session:
        record(session, an_edit(title=HOSTILE))
        (letter,) = claim(session, EDITS, limit=1, lease=timedelta(minutes=1))
        settle(session, EDITS, {letter: Dead("refused", error)})


@pytest.mark.usefixtures("wide")
def test_a_title_has_no_power_over_the_terminal(hostile: Database, run: Run) -> None:
    table = changes(run).stdout

    assert table.count(SHOWN) == 2
    assert len(table.splitlines()) == 2
    assert not set(table) & set("\x1b\x07\r\x9b\u202e")


def test_csv_and_json_hold_the_title_as_it_is(hostile: Database, run: Run) -> None:
    (row,) = csv.DictReader(io.StringIO(changes(run, "--csv").stdout_bytes.decode(), newline=""))
    document = json.loads(changes(run, "--json").stdout)

    assert (row["title"], row["user"]) == (HOSTILE, HOSTILE)
    assert (document["changes"][0]["title"], document["changes"][0]["user"]) == (HOSTILE, HOSTILE)


def test_json_on_a_terminal_sets_no_title_and_turns_no_text(hostile: Database, run: Run) -> None:
    assert not set(changes(run, "--json").stdout) & set("\x1b\x07\r\x9b\u202e")


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("command", [("list",), ("show", "enwiki", "1"), ("show", "enwiki", "1", "--json")])
def test_a_dead_letter_has_no_power_over_the_terminal(command: tuple[str, ...], wiki: Database, run: Run) -> None:
    give_up(wiki, f"the server said [bold]{HOSTILE}")

    result = run("dead-letters", *command)

    assert f"the server said [bold]{SHOWN}" in result.stdout
    assert not set(result.stdout) & set("\x1b\x07\r\x9b\u202e")


def test_an_error_is_one_line_whatever_is_quoted_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - typer's own way to end
        fail(f"no page [bold]{HOSTILE}")

    assert capsys.readouterr().err == f"outpatrol: no page [bold]{SHOWN}\n"


def test_a_usage_error_shows_the_words_of_the_command_line_escaped(run: Run) -> None:
    result = run("models", f"lis{HOSTILE}")

    assert result.exit_code == 2
    assert not set(result.stderr) & set("\x1b\x07\r\x9b\u202e")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", ["status", "streams", "models list", "thresholds", "--help", "nonsense–"])
def test_every_command_prints_in_every_encoding(encoding: str, command: str, foreign: Database) -> None:
    result = CliRunner(charset=encoding).invoke(app, command.split())

    assert isinstance(result.exception, SystemExit | None)
    assert result.stdout or result.stderr


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "\\u65e5\\u672c \\u00e9 x"), ("latin-1", "\\u65e5\\u672c é x"), ("utf-8", TITLE)]
)
def test_a_table_spells_what_the_output_can_not_carry(encoding: str, shown: str, foreign: Database) -> None:
    words = ["recentchanges", "--wiki", "enwiki", "--since", "2026-01-01"]

    table = CliRunner(charset=encoding).invoke(app, words).stdout

    assert table.count(shown) == 2
    # The bar of 0.7, in signs that the output has.
    assert ("██████░░" if encoding == "utf-8" else "######..") in table


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_data_is_exact_in_every_encoding(encoding: str, foreign: Database) -> None:
    runner, words = CliRunner(charset=encoding), ["recentchanges", "--wiki", "enwiki", "--since", "2026-01-01"]

    document = json.loads(runner.invoke(app, [*words, "--json"]).stdout_bytes.decode(encoding))
    (row,) = csv.DictReader(io.StringIO(runner.invoke(app, [*words, "--csv"]).stdout_bytes.decode("utf-8")))

    assert document["changes"][0]["title"] == TITLE
    assert row["title"] == TITLE


def printed_to(
    output: int, directory: Path, *words: str, encoding: str = "utf-8"
) -> "subprocess.CompletedProcess[bytes]":
    variables = environment(directory / "outpatrol.toml") | {"PYTHONIOENCODING": encoding}
    return subprocess.run([*OUTPATROL, *words], stdout=output, stderr=subprocess.PIPE, env=variables, cwd=directory)


@pytest.mark.parametrize("form", FORMS)
def test_a_pipe_that_nobody_reads_ends_a_command_quietly(
    form: tuple[str, ...], foreign: Database, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = printed_to(writer, tmp_path, "recentchanges", "--wiki", "enwiki", "--since", "2026-01-01", *form)

    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize("form", [(), ("--csv",)])
def test_a_full_disk_is_told_in_a_sentence(form: tuple[str, ...], foreign: Database, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = printed_to(
            full.fileno(),
            tmp_path,
            "recentchanges",
            "--wiki",
            "enwiki",
            "--since",
            "2026-01-01",
            *form,
            encoding="ascii",
        )

    assert ended.returncode == 1
    assert ended.stderr == b"outpatrol: standard output can't be written: No space left on device\n"
