"""The benchmark of isolation, in small: that it measures, and says what it found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.traffic import latencies_of

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = (sys.executable, "-m", "benchmarks", "isolation")


def test_percentiles_are_those_of_all_edits_and_what_never_came_took_for_ever() -> None:
    found = latencies_of([float("inf"), *(each / 100 for each in range(1, 100))])

    assert (found.edits, found.missing) == (100, 1)
    assert (found.p50, found.p95, found.p99) == (0.5, 0.95, 0.99)
    assert latencies_of([1.0, float("inf")]).p95 == float("inf")


def test_a_row_that_is_none_is_refused_before_anything_starts() -> None:
    done = subprocess.run([*BENCHMARK, "--rows", "nope"], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 2
    assert "is no row" in done.stderr


@pytest.mark.long
def test_sinks_that_hang_disturb_nobody_from_commit_to_event() -> None:
    done = subprocess.run(
        [*BENCHMARK, "--rows", "sinks", "--seconds", "3", "--json"], capture_output=True, text=True, cwd=ROOT
    )

    assert done.stdout, done.stderr
    row = json.loads(done.stdout)["sinks"]
    # Whether it is, is decided by a difference of two times, which means nothing for so few edits.
    assert done.returncode == (0 if row["is_ok"] else 1)
    assert row["undisturbed"]["edits"] > 0
    assert (row["disturbed"]["edits"] > 0, row["disturbed"]["missing"]) == (True, 0)
