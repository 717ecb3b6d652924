"""Several sinks at once, each with its own progress: one that takes nothing holds up no other."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from outbox import EDITS, Edit
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import (
    announced,
    assert_announced,
    assert_every_promise_was_kept,
    edits_of_few_pages,
    events_of,
    sample_edits,
    taken_by_eventgate,
)
from tests.acceptance.running import Running, running
from tests.services import stop_process
from tests.worker.sinks.broker import mock_broker
from worker.events.kinds import EVENT_LANES

WIKI = "itwiki"
COUNT = 120
FILE, EVENTGATE, KAFKA = (EVENT_LANES[sink] for sink in ("file", "eventgate", "kafka"))
BOTH = {"file": {}, "eventgate": {"timeout_seconds": 2, "batch_size": 10}}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A worker whose events go to files and to an EventGate."""
    directory = tmp_path_factory.mktemp("two_sinks")
    with running(directory, {WIKI: f"sqlite:///{directory}/{WIKI}.db"}, sinks=BOTH) as here:
        yield here


def assert_both_have(here: Running, edits: list[Edit]) -> None:
    """Of these edits, which are the last ones, both sinks have every event, under the same ids."""
    subjects = [
        {event_id: subject for event_id, subject in announced(events).items() if subject[1] >= edits[0].revision}
        for events in (events_of(here.directory), taken_by_eventgate(here))
    ]
    assert subjects[0] == subjects[1]
    assert sorted(subjects[0].values()) == [(edit.wiki, edit.revision) for edit in edits]


def until_the_files_are_complete(here: Running, edits: list[Edit]) -> None:
    here.until(lambda: here.pending(EDITS, FILE) == 0, "all events in the files")
    in_files = {revision for _, revision in announced(events_of(here.directory)).values()}
    assert in_files >= {edit.revision for edit in edits}


def test_each_sink_has_every_event_under_the_same_id(line: Running) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=1_000)
    line.save(edits)
    line.until_all_is_kept()

    assert_both_have(line, edits)


def test_a_dead_eventgate_does_not_hold_up_the_files_and_gets_all_when_it_lives(line: Running) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=2_000)
    line.kill("eventgate")
    line.save(edits)
    until_the_files_are_complete(line, edits)
    assert line.pending(EVENTGATE) == len(edits)
    line.start_eventgate()
    line.until_all_is_kept()

    assert_both_have(line, edits)


def test_an_eventgate_that_hangs_does_not_hold_up_the_files(line: Running) -> None:
    edits = edits_of_few_pages(WIKI, COUNT, first=3_000)
    hanging = line.children["eventgate"].process.pid
    stop_process(hanging)
    line.save(edits)
    until_the_files_are_complete(line, edits)
    assert line.pending(EVENTGATE) == len(edits)
    os.kill(hanging, signal.SIGCONT)
    line.until_all_is_kept()

    assert_both_have(line, edits)


def test_a_killed_worker_costs_neither_sink_an_event(tmp_path: Path, mariadb_databases: NewDatabase) -> None:
    edits = sample_edits(WIKI, COUNT)
    with running(tmp_path, {WIKI: mariadb_databases(WIKI)}, sinks=BOTH) as here:
        here.eventgate.set(latency_ms=500)
        here.save(edits)
        here.until(lambda: here.eventgate.summary()["accepted"] > 0, "events at EventGate")
        here.kill("worker")
        assert here.pending(EVENTGATE) > 0
        here.eventgate.set(latency_ms=0)
        here.start_worker()
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
        assert announced(taken_by_eventgate(here)) == announced(events_of(tmp_path))


def restart_with(here: Running, old: str, new: str) -> None:
    """Kill the worker and start it with *new* in its settings wherever *old* was."""
    settings = here.directory / "outpatrol.toml"
    settings.write_text(settings.read_text().replace(old, new))
    here.kill("worker")
    here.start_worker()


def test_a_kafka_that_is_down_costs_no_event_and_does_not_hold_up_the_files(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, mariadb_databases: NewDatabase
) -> None:
    before, after = edits_of_few_pages(WIKI, 100), edits_of_few_pages(WIKI, 100, first=101)
    topic = "test.mediawiki.revision-score"
    with ExitStack() as cluster:
        broker = cluster.enter_context(mock_broker(tmp_path_factory.mktemp("kafka")))
        kafka = {"bootstrap_servers": broker.address, "topic_prefix": "test.", "timeout_seconds": 1}
        with running(tmp_path, {WIKI: mariadb_databases(WIKI)}, sinks={"file": {}, "kafka": kafka}) as here:
            here.save(before)
            here.until_all_is_kept()
            taken = broker.distinct_values(topic, len(before))
            cluster.close()
            here.save(after)
            until_the_files_are_complete(here, after)
            here.until_the_sink_fails("kafka")
            assert here.pending(KAFKA) == len(after)
            with mock_broker(tmp_path_factory.mktemp("other_kafka")) as other:
                restart_with(here, broker.address, other.address)
                here.until_all_is_kept()
                taken += other.distinct_values(topic, len(after))

            assert_announced([json.loads(event) for event in taken], [*before, *after])
            assert_every_promise_was_kept(here, [*before, *after])
