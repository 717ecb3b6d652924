"""`outpatrol models check` also asks what the formulas of the thresholds resolve to."""

import json
from pathlib import Path

import pytest

from outbox.database import Database
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on, forget_looks, wikis
from tests.endpoint import EmulatedEndpoint
from tests.worker.upkeep.looking import OLD, id_of
from worker.domain.thresholds import Statistic
from worker.scores.formulas import known_statistics

FORMULA = "maximum recall @ precision >= 0.15"


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: EmulatedEndpoint) -> Run:
    """Commands on a wiki where one level of damaging, whose version is known, is a formula."""
    forget_looks(database)
    id_of(database, "damaging", OLD)
    enwiki = wikis(enwiki=address(database))["enwiki"] | {"thresholds": {"damaging": {"likelybad": {"min": FORMULA}}}}
    return commands_on(database, tmp_path, monkeypatch, endpoint={"url": endpoint.url}, wikis={"enwiki": enwiki})


def kept(database: Database) -> set[Statistic]:
    with database.reading() as connection:
        return set(known_statistics(connection, "damaging", OLD))


def test_formulas_are_resolved(run: Run, database: Database) -> None:
    assert json.loads(run("models", "check", "--json").stdout)["enwiki"]["formulas"] == 1
    assert kept(database) == {Statistic("true", FORMULA)}


def test_a_dry_run_asks_for_no_formula(run: Run) -> None:
    result = run("models", "check", "--dry-run", "--json")

    assert json.loads(result.stdout)["enwiki"]["formulas"] == 0


def test_findings_are_told_though_the_formulas_are_not(run: Run, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(broken_info=True)

    result = run("models", "check", "--json")

    assert result.exit_code == 1
    assert "outpatrol: enwiki: " in result.stderr
    assert len(json.loads(result.stdout)["enwiki"]["checks"]) == 2
