"""A sink that fails in any way costs time and repeated events; no event, no second id, and no order of a page."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outbox import Edit
from outbox.dead_letters import DeadLetter, list_dead_letters
from tests.acceptance.commands import outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import (
    announced,
    assert_announced,
    assert_in_page_order,
    edits_of_few_pages,
    events_of,
    taken_by_eventgate,
)
from tests.acceptance.running import PATIENT, Running, children_of, merged, running
from tests.event_files import bytes_in
from tests.patience import until
from tests.worker.lines import drain
from worker.events.kinds import EVENT_LANES

WIKI = "enwiki"
LANE = EVENT_LANES["eventgate"]
COUNT = 150
#: Less than the emulated EventGate lets wait when it is late.
EVENTGATE = {"eventgate": {"timeout_seconds": 0.4, "batch_size": 10}}
LATE = {"rate": 0.2, "ms": 1000}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A worker whose events go to an EventGate."""
    directory = tmp_path_factory.mktemp("event_faults")
    with running(directory, {WIKI: f"sqlite:///{directory}/{WIKI}.db"}, sinks=EVENTGATE) as here:
        yield here


@pytest.fixture
def here(line: Running) -> Running:
    line.eventgate.reset()
    return line


def letters(here: Running) -> list[DeadLetter]:
    with here.services.wiki(WIKI).database.reading() as connection:
        return list_dead_letters(connection, LANE, limit=1000)


@pytest.mark.parametrize(
    ("fault", "settings", "first"),
    [
        ("close_before", {"close_before": 0.2}, 1_000),
        ("close_mid_reply", {"close_mid_reply": 0.2}, 2_000),
        ("late", {"late": LATE}, 3_000),
        ("failures", {"failures": {"rate": 0.2, "status": 503}}, 4_000),
    ],
)
def test_requests_that_fail_cost_no_event(here: Running, fault: str, settings: dict[str, Any], first: int) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=first)
    here.eventgate.set(**settings)
    here.save(edits)
    here.until_all_is_kept()

    # A request that is late is counted when it ends, long after it was given up.
    here.until(lambda: here.eventgate.summary()["faults"].get(fault, 0) > 0, f"a request that met {fault}")
    assert_announced(here.eventgate.events(), edits)


def test_single_events_that_eventgate_could_not_write_come_again(here: Running) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=5_000)
    here.eventgate.set(error_rate=0.05)
    here.save(edits)
    here.until_all_is_kept()

    assert here.eventgate.summary()["errors"] > 0
    assert_announced(here.eventgate.events(), edits)


def test_refused_events_become_dead_letters_with_the_reason_and_the_others_arrive(here: Running) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=6_000)
    here.eventgate.set(refuse={"rate": 0.1})
    here.save(edits)
    here.until_all_is_kept()

    refused = [json.loads(letter.payload) for letter in letters(here)]
    # A request whose reply came too late was counted, and sent again.
    assert COUNT // 20 < len(refused) <= here.eventgate.summary()["invalid"]
    assert {letter.reason for letter in letters(here)} == {"refused"}
    assert all("the settings of the emulator ask for it" in letter.error for letter in letters(here))
    assert_announced([*here.eventgate.events(), *refused], edits)
    assert announced(refused).keys().isdisjoint(here.eventgate.ids())


def test_refused_events_that_are_requeued_arrive_once_they_are_wanted(here: Running) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=7_000)
    here.eventgate.set(refuse={"rate": 0.1})
    here.save(edits)
    here.until_all_is_kept()
    here.eventgate.set(refuse=None)
    refused = [str(letter.id) for letter in letters(here) if json.loads(letter.payload)["rev_id"] >= edits[0].revision]
    requeued = outpatrol(here.directory, "dead-letters", "requeue", *refused, "--wiki", WIKI, "--lane", LANE.name)
    here.until_all_is_kept()

    assert f"{len(refused)} requeued" in requeued.err
    assert refused
    assert_announced(here.eventgate.events(), edits)


def promise_events(here: Running, count: int) -> list[Edit]:
    """Let events of that many edits wait in the order of their revisions, before there is any worker."""
    edits = edits_of_few_pages(WIKI, count)
    here.save(edits, ring=False)
    drain(here.services)
    return edits


def start(here: Running) -> None:
    here.start_worker()
    here.start_beat()


def test_an_eventgate_that_is_down_for_a_while_costs_no_event_and_no_order(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    databases = {WIKI: mariadb_databases(WIKI)}
    sinks = merged(EVENTGATE, {"eventgate": {"timeout_seconds": 5}})
    with running(tmp_path, databases, worker=False, beat=False, sinks=sinks, **PATIENT) as here:
        edits = promise_events(here, 120)
        # So slow that much is left when it goes down.
        here.eventgate.set(latency_ms=500)
        start(here)
        here.until_at_most(100, LANE)
        here.kill("eventgate")
        here.until_the_sink_fails("eventgate")
        assert here.pending(LANE) > 0
        here.start_eventgate()
        here.until_all_is_kept()

        assert_announced(taken_by_eventgate(here), edits)
        assert_in_page_order(taken_by_eventgate(here))
        assert letters(here) == []


def test_requests_that_fail_in_all_ways_cost_no_order(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    databases = {WIKI: sqlite_databases(WIKI)}
    with running(tmp_path, databases, worker=False, beat=False, sinks=EVENTGATE, **PATIENT) as here:
        edits = promise_events(here, 120)
        here.eventgate.set(close_before=0.1, close_mid_reply=0.1, late=LATE | {"rate": 0.1}, error_rate=0.03)
        start(here)
        here.until_all_is_kept()

        assert here.eventgate.summary()["duplicates"] > 0
        assert_announced(taken_by_eventgate(here), edits)
        assert_in_page_order(taken_by_eventgate(here))


def limit_files_of_the_worker(here: Running, size: int) -> None:
    """As on a full disk: of a write that goes beyond *size* a part succeeds, and the rest does not."""
    worker = here.children["worker"].process.pid
    for process in (worker, *children_of(worker)):
        _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, most))


def read_between_writes(directory: Path) -> bytes:
    """What is in *directory* while nobody writes: of a write that fails, the part that succeeded is cut off at once."""
    seen = b""

    def is_whole() -> bool:
        nonlocal seen
        seen = bytes_in(directory)
        return seen.endswith(b"}\n")

    until(is_whole, "whole lines")
    return seen


def test_a_disk_that_is_full_for_a_while_costs_no_event_and_leaves_whole_lines(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    with running(tmp_path, {WIKI: mariadb_databases(WIKI)}, worker=False, beat=False, **PATIENT) as here:
        edits = promise_events(here, 120)
        here.start_worker()
        here.until(lambda: len(here.worker_children()) == 2, "two children of the worker")
        limit_files_of_the_worker(here, 40_000)
        here.start_beat()
        here.until_the_sink_fails("file")
        meanwhile = read_between_writes(here.directory / "events")
        limit_files_of_the_worker(here, resource.RLIM_INFINITY)
        here.until_all_is_kept()

        assert len(meanwhile.splitlines()) < len(edits)
        assert events_of(here.directory)[: len(meanwhile.splitlines())] == [*map(json.loads, meanwhile.splitlines())]
        assert_announced(events_of(here.directory), edits)
        assert_in_page_order(events_of(here.directory))
