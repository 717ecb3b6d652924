"""A scoring endpoint that is gone or refuses costs time; no edit is given up for it."""

from pathlib import Path

from outbox import EDITS
from outbox.inspection import inspect_lane
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import Running, running


def waiting(here: Running) -> int:
    """Edits that wait; how many come to depends on when the circuit opens, and claiming with it ends."""
    with here.services.wiki("itwiki").database.reading() as connection:
        return inspect_lane(connection, EDITS).waiting


def test_an_endpoint_that_dies_and_comes_back_costs_no_edit(tmp_path: Path, mariadb_databases: NewDatabase) -> None:
    edits = sample_edits("itwiki", 200)
    with running(tmp_path, {"itwiki": mariadb_databases("itwiki")}) as here:
        here.endpoint.set(latency_ms=100)
        here.save(edits[:100])
        here.until_at_most(70, EDITS)
        here.kill("endpoint")
        # However far the first were by then, these find it so.
        here.save(edits[100:])
        here.until(lambda: waiting(here) > 0, "edits that wait for the endpoint")
        here.start_endpoint()
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)


def test_an_endpoint_that_is_overloaded_for_a_while_costs_no_edit(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 200)
    with running(tmp_path, {"itwiki": sqlite_databases("itwiki")}) as here:
        here.endpoint.set(latency_ms=100)
        here.save(edits[:100])
        here.until_at_most(70, EDITS)
        here.endpoint.set(failures={"rate": 1, "status": 503})
        # However far the first were by then, these find it so.
        here.save(edits[100:])
        # One may wait for another reason: its call took too long.
        here.until(lambda: bool(here.endpoint.summary()["failures"]), "a call that fails")
        here.until(lambda: waiting(here) > 0, "edits that wait for the endpoint")
        here.endpoint.set(failures=None)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
