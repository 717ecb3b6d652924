"""The benchmark of the sinks, on few events: that all of it runs, and that what is counted is what it should be."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sink_pairs import Open, Send, SinkPair, WriteCounts, all_of
from benchmarks.sinks import MeasuredPair, Shape, bodies, in_batches, measure_pair
from tests.benchmarks.silence import silent
from tests.builders import an_event
from tests.services import MARIADB_VARIABLE
from worker.domain.errors import CommandFailed
from worker.events.file_sink import FileSink
from worker.events.sinks import OutgoingEvent, rounds

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 50


@pytest.fixture(scope="module")
def document(mariadb_url: str) -> dict[str, Any]:
    """Everything, through the command."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "sinks", "--events", str(EVENTS), "--rounds", "1", "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {MARIADB_VARIABLE: mariadb_url},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(document: dict[str, Any], sink: str) -> list[dict[str, Any]]:
    return [row for row in document["sinks"] if row["sink"] == sink]


@pytest.mark.parametrize("sink", ["file", "stdout", "eventgate", "kafka"])
def test_each_sink_is_measured_with_batches_of_every_size(document: dict[str, Any], sink: str) -> None:
    shapes = [(row["batch_size"], row["one_page"]) for row in rows(document, sink)]

    assert shapes == [(1, False), (10, False), (100, False), (1000, False), (100, True)]


@pytest.mark.parametrize(("sink", "side"), [("file", "ours"), ("file", "bare"), ("stdout", "bare")])
def test_a_batch_is_one_write_to_a_file_or_a_pipe(document: dict[str, Any], sink: str, side: str) -> None:
    found = rows(document, sink)

    assert [row[side]["requests"] * row["batch_size"] for row in found] == [row["events"] for row in found]


def test_a_batch_is_one_write_to_a_pipe_that_has_room_for_it_and_never_one_for_each_event(
    document: dict[str, Any],
) -> None:
    found = rows(document, "stdout")

    assert [row["ours"]["requests"] * row["batch_size"] for row in found[:2]] == [row["events"] for row in found[:2]]
    # A page of a pipe is the least that can have become free.
    assert all(
        row["ours"]["requests"] <= row["ours"]["bytes"] / 4096 + row["events"] / row["batch_size"] for row in found
    )


@pytest.mark.parametrize("sink", ["file", "stdout"])
def test_ours_writes_as_many_bytes_as_the_bare_client(document: dict[str, Any], sink: str) -> None:
    written = [(row["ours"]["bytes"], row["bare"]["bytes"]) for row in rows(document, sink)]

    assert all(ours == bare > 0 for ours, bare in written)


@pytest.mark.parametrize("side", ["ours", "bare"])
def test_a_batch_of_many_pages_is_one_request_to_eventgate(document: dict[str, Any], side: str) -> None:
    found = [row for row in rows(document, "eventgate") if not row["one_page"]]

    assert [row[side]["requests"] * row["batch_size"] for row in found] == [row["events"] for row in found]


def test_the_order_of_one_page_costs_a_request_to_eventgate_an_event(document: dict[str, Any]) -> None:
    (row,) = (row for row in rows(document, "eventgate") if row["one_page"])

    assert row["ours"]["requests"] == row["events"]
    assert row["bare"]["requests"] == row["events"] / 100


@pytest.mark.parametrize("side", ["ours", "bare"])
def test_an_event_alone_is_one_request_to_kafka(document: dict[str, Any], side: str) -> None:
    (row,) = (row for row in rows(document, "kafka") if row["batch_size"] == 1)

    assert row[side]["requests"] == row["events"]
    assert row[side]["bytes"] > 0


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_the_whole_way_shares_its_statements_among_the_events_of_a_batch(
    document: dict[str, Any], database: str
) -> None:
    ways = {way["batch_size"]: way for way in document["publishing"] if way["database"] == database}

    assert [(size, way["events"]) for size, way in ways.items()] == [(size, EVENTS) for size in (1, 10, 100, 1000)]
    assert ways[100]["sql_statements"] < ways[1]["sql_statements"] / 10


def a_pair(ours: Send, bare: Send) -> Open:
    @contextmanager
    def open_pair(_batch_size: int) -> Iterator[SinkPair]:
        yield SinkPair(ours, bare, lambda: WriteCounts(0, 0))

    return open_pair


def measured(open_pair: Open) -> MeasuredPair:
    shape = Shape(batch_size=1, one_page=False, batches=[[an_event()]])
    return measure_pair("s", open_pair, shape, silent, rounds=3)


def test_the_two_of_a_pair_take_turns_at_being_first() -> None:
    turns: list[str] = []

    def named(name: str) -> Callable[[Sequence[OutgoingEvent]], None]:
        return lambda _events: turns.append(name)

    measured(a_pair(named("ours"), named("bare")))

    assert turns[-6:] == ["ours", "bare", "bare", "ours", "ours", "bare"]


def test_a_ratio_above_one_says_that_ours_is_the_faster() -> None:
    found = measured(a_pair(lambda _events: None, lambda _events: time.sleep(0.01)))

    assert found.ratio > 1
    assert found.ours.events_per_second > found.bare.events_per_second


def test_events_that_a_sink_does_not_deliver_are_no_measurement(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("no directory")
    send = all_of(FileSink(tmp_path / "events", max_bytes=1000))

    with pytest.raises(CommandFailed, match="FileSink"):
        send([an_event()])


@pytest.mark.parametrize(("one_page", "groups"), [(False, 1), (True, 20)])
def test_events_are_of_as_many_pages_or_of_one(one_page: bool, groups: int) -> None:
    (batch,) = in_batches(bodies(20, one_page=one_page), 20)

    assert len(rounds(batch)) == groups
    assert len({event.id for event in batch}) == 20
