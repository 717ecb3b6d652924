"""`outpatrol thresholds`: what each level means now."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from outbox.database import Database
from tests.cli.conftest import Run
from tests.cli.recent_changes import VERSION, commands_on
from worker.domain.thresholds import Statistic
from worker.scores.formulas import keep_statistics
from worker.scores.model_versions import model_ids
from worker.scores.own_tables import formula_threshold

LOW, HIGH = "maximum recall @ precision >= 0.45", "maximum filter_rate @ recall >= 0.9"
FORMULAS = f"""\
[wikis.enwiki.thresholds.damaging]
likelybad = {{ min = "{LOW}" }}
likelygood = {{ max = "{HIGH}" }}
maybebad = {{ min = 0.2 }}
verylikelybad = false
"""


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands on a wiki that has seen version 0.5.1 of both models."""
    with database.transaction() as session:
        session.execute(delete(formula_threshold))
        model_ids(session, [("damaging", VERSION), ("goodfaith", VERSION)], {})
    return commands_on(database, tmp_path, monkeypatch, more=FORMULAS)


def resolve(database: Database, *, version: str = VERSION, low: float | None = 0.5, high: float | None = 0.25) -> None:
    found = {Statistic("true", LOW): low, Statistic("false", HIGH): high}
    database.run(lambda session: keep_statistics(session, "damaging", version, found))


def damaging(run: Run) -> dict[str, Any]:
    result = run("thresholds", "--json")
    assert result.exit_code == 0, result.stderr
    model: dict[str, Any] = json.loads(result.stdout)["enwiki"]["damaging"]
    return model


def test_a_number_means_itself(run: Run) -> None:
    assert damaging(run)["levels"]["maybebad"] == {
        "setting": {"min": 0.2, "max": 1.0}, "min": 0.2, "max": 1.0, "problem": None,
    }  # fmt: skip


def test_a_formula_means_what_it_came_to(database: Database, run: Run) -> None:
    resolve(database)

    assert damaging(run)["levels"]["likelybad"] == {
        "setting": {"min": LOW, "max": 1.0}, "min": 0.5, "max": 1.0, "problem": None,
    }  # fmt: skip


def test_the_upper_end_is_what_the_class_false_leaves(database: Database, run: Run) -> None:
    resolve(database, high=0.25)

    assert damaging(run)["levels"]["likelygood"]["max"] == 0.75


def test_a_formula_that_was_not_looked_up_says_how_to(run: Run) -> None:
    level = damaging(run)["levels"]["likelybad"]

    assert (level["min"], level["max"]) == (None, None)
    assert level["problem"] == "not resolved yet; run: outpatrol models check"


def test_what_a_formula_came_to_for_another_version_means_nothing(database: Database, run: Run) -> None:
    resolve(database, version="0.4.0")

    assert damaging(run)["levels"]["likelybad"]["problem"] == "not resolved yet; run: outpatrol models check"


def test_a_formula_that_no_threshold_reaches_is_not_to_be_looked_up_again(database: Database, run: Run) -> None:
    resolve(database, low=None)

    assert damaging(run)["levels"]["likelybad"]["problem"] == "no probability matches; set a number"


def test_a_filter_by_a_level_that_nothing_reaches_asks_for_a_number(database: Database, run: Run) -> None:
    resolve(database, low=None)

    result = run("recentchanges", "--wiki", "enwiki", "--damaging", "likelybad")

    assert result.exit_code == 1
    assert "no probability matches likelybad of damaging as it is set; set a number" in result.stderr


def test_a_level_that_was_taken_away_is_left_out(run: Run) -> None:
    assert list(damaging(run)["levels"]) == ["likelygood", "maybebad", "likelybad"]


def test_a_model_tells_its_current_version(run: Run) -> None:
    assert damaging(run)["version"] == VERSION


def test_a_model_that_was_never_seen_has_no_version(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert damaging(commands_on(database, tmp_path, monkeypatch))["version"] is None


def test_models_that_the_wiki_is_not_scored_with_are_left_out(run: Run) -> None:
    assert list(json.loads(run("thresholds", "--json").stdout)["enwiki"]) == ["damaging", "goodfaith"]


def test_the_table_shows_the_setting_beside_what_it_means(database: Database, run: Run) -> None:
    resolve(database, low=0.4321)

    words = run("thresholds", "--wiki", "enwiki").stdout.split()

    assert {"enwiki", "damaging", VERSION, "likelybad", "0.4321", "recall", "precision", "0.45,"} <= set(words)


def test_the_table_says_what_is_not_resolved(run: Run) -> None:
    words = " ".join(run("thresholds").stdout.split())

    assert "(not resolved yet;" in words


def test_a_wiki_that_is_not_there_is_told_in_a_sentence(run: Run) -> None:
    result = run("thresholds", "--wiki", "nowiki")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "'nowiki' is no wiki of the settings" in result.stderr
