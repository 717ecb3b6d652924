"""An endpoint that serves nobody: claiming stops until it is back, and no edit pays for the time between."""

import time
from pathlib import Path

from outbox import EDITS
from outbox.inspection import LaneStatus, inspect_lane
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import SHORT, Running, running
from worker.lanes.circuits import FIRST_OPEN_SECONDS

WIKI = "itwiki"
#: More than twice as many as all turns of both processes can hold.
COUNT = 700
#: Saved one by one once the endpoint serves again, so that each process gets to know it.
MORE = 100
CONCURRENCY = 4
PROBES = 8
#: As in `short_pauses`.
FIRST_PAUSE = FIRST_OPEN_SECONDS / 10
MODELS = 2
PROCESSES = 2


def lane(here: Running) -> LaneStatus:
    with here.services.wiki(WIKI).database.reading() as connection:
        return inspect_lane(connection, EDITS)


def turns(here: Running) -> list[str]:
    """What the worker's children logged about the circuit, in order."""
    return [line["event"] for line in here.logged("circuit_opened", "circuit_closed")]


def calls_until(here: Running, probes: int) -> int:
    """Wait for that many calls; returns how many came."""
    before = calls = here.endpoint.summary()["calls"]

    def came() -> bool:
        nonlocal calls
        calls = here.endpoint.summary()["calls"]
        return bool(calls >= before + probes)

    here.until(came, "probes that fail")
    return int(calls - before)


def test_in_an_outage_claiming_pauses_and_all_edits_are_scored_after_it(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    """With a single attempt an edit that burned it would be a dead letter."""
    some = sample_edits(WIKI, COUNT + MORE)
    edits, more = some[:COUNT], iter(some[COUNT:])
    settings = {
        "outbox": SHORT["outbox"] | {"max_attempts": 1, "lease_seconds": 60},
        "endpoint": {"concurrency": CONCURRENCY},
    }
    with running(tmp_path, {WIKI: mariadb_databases(WIKI)}, **settings) as here:
        here.endpoint.set(failures={"rate": 1, "status": 503})
        here.save(edits)
        here.until(lambda: turns(here).count("circuit_opened") >= PROCESSES, "an open circuit in each process")
        # What was under way when it opened ends before the first probes.
        calls_until(here, PROBES)
        began = time.monotonic()
        probes = calls_until(here, PROBES)
        seconds, left = time.monotonic() - began, lane(here)
        here.endpoint.set(failures=None)
        here.until_all_is_kept()
        while turns(here).count("circuit_opened") != turns(here).count("circuit_closed"):
            edits.append(next(more))
            here.save(edits[-1:])
            here.until_all_is_kept()

        # One a pause for each model, however long that was looked at.
        assert probes <= PROCESSES * MODELS * (1 + seconds / FIRST_PAUSE)
        assert left.ready >= COUNT / 2
        assert_every_promise_was_kept(here, edits)
