"""`outpatrol models list`: which versions of which models there are, were and may come."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from outbox.database import Database
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on, forget_looks, second_wiki, wikis
from tests.worker.upkeep.looking import NEW, OLD, classify, id_of, let_pass
from worker.scores.own_tables import model_candidate


@pytest.fixture
def database(database: Database) -> Database:
    forget_looks(database)
    return database


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(database, tmp_path, monkeypatch)


def listed(run: Run, *options: object) -> list[dict[str, Any]]:
    """What is listed of enwiki."""
    entries: list[dict[str, Any]] = json.loads(run("models", "list", "--json", *options).stdout)["enwiki"]
    return entries


def make_candidate(database: Database, version: str = NEW) -> None:
    """Let *version* of damaging be one for an hour."""
    with database.transaction() as session:
        session.execute(insert(model_candidate).values(model="damaging", version=version))
    let_pass(database, 3600)


def test_every_version_is_listed_with_its_id_and_its_rows(run: Run, database: Database) -> None:
    first, second = id_of(database, "damaging", OLD), id_of(database, "damaging", NEW)
    classify(database, range(1, 4), "damaging", OLD)
    classify(database, [4], "damaging", NEW)

    entries = [entry for entry in listed(run) if entry["model"] == "damaging"]

    assert entries == [
        {
            "model": "damaging",
            "version": OLD,
            "id": first,
            "is_current": True,
            "rows": 3,
            "candidate_seconds": None,
        },
        {
            "model": "damaging",
            "version": NEW,
            "id": second,
            "is_current": False,
            "rows": 1,
            "candidate_seconds": None,
        },
    ]


def test_a_model_of_the_settings_that_has_no_version_yet_is_listed(run: Run, database: Database) -> None:
    id_of(database, "damaging", OLD)

    assert [(entry["model"], entry["version"], entry["id"]) for entry in listed(run)][1:] == [("goodfaith", None, None)]


def test_a_model_that_the_settings_do_not_name_any_more_is_listed(run: Run, database: Database) -> None:
    id_of(database, "reverted", "0.4.0")

    assert ("reverted", "0.4.0") in {(entry["model"], entry["version"]) for entry in listed(run)}


def test_a_candidate_without_a_number_is_listed_with_its_age(run: Run, database: Database) -> None:
    id_of(database, "damaging", OLD)
    make_candidate(database)

    (candidate,) = [entry for entry in listed(run) if entry["version"] == NEW]

    assert (candidate["id"], candidate["rows"], candidate["is_current"]) == (None, 0, False)
    assert candidate["candidate_seconds"] >= 3600


def test_a_candidate_that_has_scores_already_is_listed_once(run: Run, database: Database) -> None:
    id_of(database, "damaging", OLD)
    classify(database, [1, 2], "damaging", NEW)
    make_candidate(database)

    (candidate,) = [entry for entry in listed(run) if entry["version"] == NEW]

    assert candidate["rows"] == 2
    assert candidate["candidate_seconds"] >= 3600


def test_models_are_listed_by_name_whatever_they_are_in(run: Run, database: Database) -> None:
    id_of(database, "reverted", "0.4.0")
    make_candidate(database)

    assert [entry["model"] for entry in listed(run)] == ["damaging", "goodfaith", "reverted"]


def test_the_table_tells_the_state_of_each_version_in_words(run: Run, database: Database) -> None:
    first = id_of(database, "damaging", OLD)
    old = id_of(database, "damaging", "0.4.0")
    make_candidate(database)

    assert [line.split() for line in run("models", "list").stdout.splitlines()] == [
        ["wiki", "model", "version", "id", "rows"],
        ["enwiki", "damaging", OLD, str(first), "0", "current"],
        ["enwiki", "damaging", "0.4.0", str(old), "0", "old"],
        ["enwiki", "damaging", NEW, "–", "0", "candidate", "for", "60", "min"],
        ["enwiki", "goodfaith", "–", "–", "0", "no", "version", "yet"],
    ]


def test_only_the_wikis_that_are_named_are_listed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_wiki(tmp_path) as other:
        run = commands_on(database, tmp_path, monkeypatch, wikis=wikis(enwiki=address(database), frwiki=address(other)))

        assert set(json.loads(run("models", "list", "--json").stdout)) == {"enwiki", "frwiki"}
        assert set(json.loads(run("models", "list", "--wiki", "frwiki", "--json").stdout)) == {"frwiki"}
