"""The benchmark of a large wiki, on a small one: that all of it runs, and that what it asserts can fail."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plans import as_chain, faults
from benchmarks.purging import Latency, latency
from benchmarks.recentchanges import is_same
from tests.services import MARIADB_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
CHANGES, CLASSIFICATIONS = 2000, 20_000


@pytest.fixture(scope="module")
def measured(mariadb_url: str) -> dict[str, Any]:
    """Everything, through the command."""
    size = ("--changes", str(CHANGES), "--classifications", str(CLASSIFICATIONS))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "recentchanges", *size),
            *("--rounds", "1", "--quiet-seconds", "0.2", "--json"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {MARIADB_VARIABLE: mariadb_url},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_nothing_is_wrong_with_plans_pages_and_purges(measured: dict[str, Any]) -> None:
    assert measured["faults"] == []


def test_every_choice_finds_what_the_extension_finds(measured: dict[str, Any]) -> None:
    pages = [page for choice in measured["choices"].values() for page in choice["pages"].values()]

    assert len(measured["choices"]) == 14
    assert all(page["is_same"] for page in pages)
    assert sum(page["rows"] for page in pages) > 500


def test_no_page_of_the_special_page_reads_more_than_the_extension_does(measured: dict[str, Any]) -> None:
    read = {
        (choice, name): (page["ours"]["rows_read"], page["theirs"]["rows_read"])
        for choice, found in measured["choices"].items()
        for name, page in found["pages"].items()
        if not choice.startswith("API")
    }

    assert {page for page, (ours, theirs) in read.items() if ours > theirs} == set()


def test_each_purge_removes_the_rows_of_one_version(measured: dict[str, Any]) -> None:
    purged = {each["name"]: each["rows"] for each in measured["purges"] if each["rows"]}

    assert purged == dict.fromkeys(("ours", "PurgeScoreCache", "one DELETE"), CLASSIFICATIONS // 10)


def test_edits_are_saved_during_every_phase(measured: dict[str, Any]) -> None:
    assert len(measured["purges"]) == 6
    assert all(each["edits"] and each["saving"]["p99"] > 0 for each in measured["purges"])


def a_read(**fields: Any) -> dict[str, Any]:
    read = {"select_type": "PRIMARY", "table": "recentchanges", "type": "range", "key": "rc_timestamp", "Extra": ""}
    return read | fields


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (a_read(type="ALL", key=None), "recentchanges is read whole (ALL None)"),
        (a_read(type="index"), "recentchanges is read whole (index rc_timestamp)"),
        (a_read(Extra="Using where; Using filesort"), "recentchanges is sorted (Using where; Using filesort)"),
        (a_read(Extra="Using temporary"), "recentchanges is sorted (Using temporary)"),
        (
            a_read(table="damaging_score", key="oresc_model_class_prob"),
            "damaging_score is read by oresc_model_class_prob, not by oresc_rev_model_class",
        ),
    ],
)
def test_a_plan_that_reads_or_sorts_more_than_it_has_to_is_a_fault(read: dict[str, Any], fault: str) -> None:
    assert faults([read]) == [fault]


@pytest.mark.parametrize(
    "read",
    [
        a_read(),
        a_read(table="<derived2>", type="ALL", key=None, Extra="Using filesort"),
        a_read(table="wp10_score", type="const", key=None),
        a_read(table=None, type=None, key=None, Extra="Select tables optimized away"),
    ],
)
def test_a_range_a_page_that_was_found_and_a_single_row_are_no_faults(read: dict[str, Any]) -> None:
    assert faults([read]) == []


def test_a_plan_is_told_from_what_is_derived_on() -> None:
    by_key = a_read(type="eq_ref", key="PRIMARY")

    assert as_chain([by_key, a_read(select_type="DERIVED")]) == (
        "recentchanges range rc_timestamp → recentchanges eq_ref PRIMARY"
    )


def test_pages_that_differ_within_their_first_and_last_second_only_are_the_same() -> None:
    assert is_same([(9, "3"), (5, "2"), (1, "1")], [(8, "3"), (5, "2"), (2, "1")])


@pytest.mark.parametrize("theirs", [[(9, "3"), (4, "2"), (1, "1")], [(9, "3"), (5, "2")], []])
def test_pages_with_other_changes_are_not_the_same(theirs: list[tuple[Any, ...]]) -> None:
    assert not is_same([(9, "3"), (5, "2"), (1, "1")], theirs)


def test_a_latency_is_told_in_milliseconds() -> None:
    assert latency([each / 1000 for each in range(200, -1, -1)]) == Latency(p50=100.0, p99=198.0, longest=200.0)
