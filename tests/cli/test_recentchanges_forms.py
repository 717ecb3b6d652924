"""`outpatrol recentchanges`: its forms, for people and for programs."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, update

from outbox import EditSource
from outbox.database import Database
from outbox.mediawiki.schema import DELETED_USER, recentchanges
from tests.builders import an_edit
from tests.cli.conftest import Run
from tests.cli.recent_changes import commands_on, save_scored, scored_edits, shown

FILTERS = [
    "",
    "--damaging likelygood --damaging verylikelybad --goodfaith likelybad",
    "--hide-non-damaging --hide-bots --namespace 0 --namespace 3",
    "--no-review --limit 2",
    "--review --before 20260101120003/3",
]


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(database, tmp_path, monkeypatch)


def said(run: Run, *options: object) -> str:
    result = run("recentchanges", "--wiki", "enwiki", "--since", "2026-01-01", *options)
    assert result.exit_code == 0, result.stderr
    text: str = result.stdout
    return text


def hide_users(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(recentchanges).values(rc_deleted=DELETED_USER))


def rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said(run, "--csv"))))


def run_script(database: Database, script: str) -> list[dict[str, Any]]:
    """What the pasted statement finds; the lines that only SQLite's shell knows become bound parameters."""
    lines = script.splitlines()
    engine = create_engine(database.url)
    with engine.connect() as connection:
        values = {}
        for line in [line for line in lines if line.startswith(".parameter set :")]:
            name, value = line.removeprefix(".parameter set :").split(" ", 1)
            values[name] = connection.exec_driver_sql(f"SELECT {value}").scalar_one()
        *settings, statement, end = "\n".join(line for line in lines if not line.startswith(".")).split(";")
        for setting in settings:
            connection.exec_driver_sql(setting)
        found = [dict(row._mapping) for row in connection.exec_driver_sql(statement, values)]
    engine.dispose()
    assert end.strip() == ""
    return found


def test_json_holds_all_that_is_known(database: Database, run: Run) -> None:
    edit = an_edit(
        revision=7, change=9, namespace=3, title="User talk:Zoé K", user="Bob", source=EditSource.NEW,
        parent_revision=0, is_minor=True, length=30, parent_length=50,
    )  # fmt: skip
    save_scored(database, (edit, {"damaging": 0.95, "goodfaith": 0.07}))

    document = shown(run, "--damaging", "likelybad", "--limit", 1, "--unpatrolled")

    assert document == {
        "wiki": "enwiki",
        "since": "20260101000000",
        "filters": {
            "levels": {"damaging": ["likelybad"]},
            "hide_non_damaging": False,
            "review": None,
            "unpatrolled": True,
            "hide_bots": False,
            "namespaces": [],
            "limit": 1,
            "before": None,
        },
        "changes": [
            {
                "change": 9,
                "revision": 7,
                "parent_revision": 0,
                "namespace": 3,
                "title": "User talk:Zoé K",
                "user": "Bob",
                "timestamp": "20260101120007",
                "is_new": True,
                "is_bot": False,
                "is_minor": True,
                "patrolled": 0,
                "length_change": -20,
                "probabilities": {"damaging": 0.95, "goodfaith": 0.07},
                "levels": {
                    "damaging": ["maybebad", "likelybad", "verylikelybad"],
                    "goodfaith": ["maybebad", "likelybad"],
                },
            }
        ],
        "next": "20260101120007/9",
    }


def test_csv_holds_a_row_for_each_change(database: Database, run: Run) -> None:
    edits = [an_edit(revision=1, title='A "quoted", one'), an_edit(revision=2, is_bot=True)]
    save_scored(database, (edits[0], {"damaging": 0.7, "goodfaith": 0.1}), (edits[1], {"goodfaith": 0.9}))

    found = [
        {name: row[name] for name in ("revision", "title", "is_bot", "damaging", "damaging_levels", "goodfaith")}
        for row in rows(run)
    ]

    assert found == [
        {"revision": "2", "title": "Page 2", "is_bot": "1", "damaging": "", "damaging_levels": "", "goodfaith": "0.9"},
        {
            "revision": "1", "title": 'A "quoted", one', "is_bot": "0",
            "damaging": "0.7", "damaging_levels": "maybebad likelybad", "goodfaith": "0.1",
        },
    ]  # fmt: skip


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_csv_gives_a_spreadsheet_no_formula_to_run(title: str, database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7}, title=title, user=title, length=1, parent_length=3)

    (row,) = rows(run)

    assert (row["title"], row["user"], row["length_change"]) == (f"'{title}", f"'{title}", "-2")


def test_csv_of_nothing_is_its_header(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.1})

    header = "change,revision,parent_revision,namespace,title,user,timestamp,is_new,is_bot,is_minor,patrolled,"
    assert said(run, "--csv", "--review") == header + "length_change,damaging,damaging_levels\n"


@pytest.mark.parametrize("form", ["--json", "--csv", "--damaging=likelybad"])
def test_no_form_shows_a_hidden_user(form: str, database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7}, user="Mallory")
    hide_users(database)

    assert "Mallory" not in said(run, form)


def test_the_table_says_that_a_user_is_hidden(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7})
    hide_users(database)

    assert "(hidden)" in said(run)


def test_the_table_shows_title_user_flags_size_and_bar(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    fields = {"is_minor": True, "is_bot": True, "source": EditSource.NEW, "length": 1500, "parent_length": 3}
    scored_edits(database, {1: 0.5}, **fields)

    assert {"Nmb!", "Page", "1", "Alice", "+1,497", "0.500", "████░░░░"} <= set(said(run).split())


def test_the_table_shows_how_long_ago(database: Database, run: Run) -> None:
    now = datetime.now(UTC)
    save_scored(database, (an_edit(revision=1, timestamp=now - timedelta(hours=2, minutes=30)), {}))

    assert " 2 h " in said(run, "--since", "1d")


@pytest.mark.parametrize("title", ["[red]Red[/red]", "[/]", "Page [link=file:x]"])
def test_the_table_takes_no_title_for_markup(title: str, database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7}, title=title, user=title)

    assert said(run).count(title) == 2


@pytest.mark.parametrize("options", FILTERS)
def test_the_pasted_statement_finds_what_the_command_finds(options: str, database: Database, run: Run) -> None:
    save_scored(
        database,
        (an_edit(revision=1), {"damaging": 0.1, "goodfaith": 0.9}),
        (an_edit(revision=2), {"damaging": 0.97, "goodfaith": 0.1}),
        (an_edit(revision=3, namespace=3, title="User talk:It's \\ me"), {"damaging": 0.98, "goodfaith": 0.02}),
        (an_edit(revision=4, is_bot=True), {"damaging": 0.99, "goodfaith": 0.01}),
        (an_edit(revision=5), {}),
    )

    pasted = run_script(database, said(run, "--sql", *options.split()))
    changes = shown(run, *options.split())["changes"]

    assert changes
    assert [(row["rc_id"], row["rc_this_oldid"], row["rc_timestamp"]) for row in map(as_text, pasted)] == [
        (change["change"], change["revision"], change["timestamp"]) for change in changes
    ]
    assert [
        {model: float(row[f"{model}_probability"]) for model in change["probabilities"]}
        for row, change in zip(pasted, changes, strict=True)
    ] == [change["probabilities"] for change in changes]


def as_text(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}


def test_the_statement_is_printed_alone(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7})

    result = run("recentchanges", "--wiki", "enwiki", "--sql", "--limit", 1)

    assert result.stderr == ""
    assert result.stdout.startswith((".parameter set :", "SET @"))
    assert result.stdout.endswith(";\n")


def test_the_plan_is_a_table(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7})

    assert "recentchanges" in said(run, "--explain")


def test_the_plan_can_be_json(database: Database, run: Run) -> None:
    scored_edits(database, {1: 0.7})

    document = json.loads(said(run, "--explain", "--json"))

    assert document["wiki"] == "enwiki"
    assert any("recentchanges" in str(value) for row in document["plan"] for value in row.values())
