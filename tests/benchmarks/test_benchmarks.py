"""The benchmark itself, on few edits: that it runs, and that what is counted is what it should be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EDITS = 100


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """One column and the memory check, through the command."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--columns", "ores-0", "--edits", str(EDITS)),
            *("--baseline-edits", "20", "--backlog", "400", "--rounds", "1", "--json"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_baseline_sends_a_call_for_each_edit(measured: dict[str, Any]) -> None:
    assert measured["columns"]["ores-0"]["baseline"]["http_calls"] == 1


def test_a_drain_shares_calls_statements_and_round_trips_among_many_edits(measured: dict[str, Any]) -> None:
    ours = measured["columns"]["ores-0"]["outpatrol"]

    assert ours["edits"] == EDITS
    assert ours["http_calls"] == pytest.approx(4 / EDITS)
    assert ours["sql_statements"] < measured["columns"]["ores-0"]["baseline"]["sql_statements"]


def test_the_memory_of_a_child_is_within_its_bound(measured: dict[str, Any]) -> None:
    assert measured["memory"]["ok"]
    assert 0 < measured["memory"]["child_peak_megabytes"] <= 250


def test_askers_of_one_score_at_once_cost_one_call() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "scoring", "--json"], capture_output=True, text=True, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(each["askers"], each["answers"], each["calls"]) for each in found["sharing"]] == [
        (1, 20, 20),
        (10, 200, 20),
        (100, 2000, 20),
    ]
    assert len(found["transports"]) == 3


def test_a_column_that_is_none_is_refused_before_anything_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--columns", "nope"], capture_output=True, text=True, cwd=ROOT
    )

    assert done.returncode == 2
    assert "is no column" in done.stderr
