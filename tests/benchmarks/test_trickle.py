"""The benchmark of a trickle, in small; and that rings rest, so that a turn serves several edits."""

import pytest

from benchmarks.servers import Servers
from benchmarks.trickle import Trickle, measure_trickle, trickle_table
from tests.benchmarks.silence import silent
from tests.endpoint import EmulatedEndpoint


@pytest.fixture(scope="module")
def found(
    mariadb_url: str, redis_url: str, endpoint_server: EmulatedEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Trickle:
    directory = tmp_path_factory.mktemp("trickle")
    servers = Servers(mariadb_url=mariadb_url, redis_url=redis_url, endpoint=endpoint_server, directory=directory)
    return measure_trickle(servers, silent, rate=50, wikis=3, seconds=3)


def test_a_turn_of_a_trickle_serves_several_edits_and_their_events_at_once(found: Trickle) -> None:
    # A busy machine makes the batches larger; without a rest in the ring there is an edit in each.
    assert found.edits_a_batch >= 2
    assert found.events_a_batch >= 2


def test_an_edit_of_a_trickle_costs_few_statements_and_no_more_than_one_call(found: Trickle) -> None:
    assert found.sql_statements <= 12
    assert found.http_calls <= 1


def test_each_edit_of_a_trickle_has_its_event_and_all_costs_are_shown(found: Trickle) -> None:
    assert found.latencies.missing == 0
    assert found.latencies.edits > 50
    assert set(found.cpu_milliseconds) == {"worker", "beat", "mariadb", "redis", "endpoint"}
    assert trickle_table(found).row_count == 12
