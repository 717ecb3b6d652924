"""A sink that takes nothing holds up no scoring and no other sink, and gives up no event."""

from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.isolation.pair import Pair, pair
from tests.fault_proxy import FaultProxy, fault_proxy
from worker.demo.processes import free_port
from worker.events.kinds import EVENT_LANES

WIKIS = ("enwiki", "frwiki", "itwiki", "nlwiki")
EVENTGATE, KAFKA = EVENT_LANES["eventgate"], EVENT_LANES["kafka"]


@pytest.fixture(scope="module")
def way() -> Iterator[FaultProxy]:
    """Stands before EventGate."""
    with fault_proxy(0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, databases_on_mariadb: NewDatabase, way: FaultProxy) -> Iterator[Pair]:
    """Events go to files, to an EventGate, and to a Kafka that is never there."""
    sinks = {
        "file": {},
        "eventgate": {"url": f"http://127.0.0.1:{way.port}", "timeout_seconds": 6},
        "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}", "timeout_seconds": 3},
    }
    databases = {wiki: databases_on_mariadb(wiki) for wiki in WIKIS}
    with pair(tmp_path_factory.mktemp("sinks"), databases, start=False, sinks=sinks) as two:
        way.behind = two.here.eventgate_port
        # Before anything was delivered, so that nothing says that the stream is known.
        two.here.eventgate.set(streams={})
        two.start()
        two.serves_first(*WIKIS)
        yield two


def test_a_stream_that_eventgate_does_not_know_costs_no_event_its_attempts(two: Pair) -> None:
    saved = two.save("enwiki", 40)
    two.until(lambda: two.here.eventgate.summary()["requests"] >= 5, "requests that are refused")
    assert two.status("enwiki", EVENTGATE).dead == 0
    two.here.eventgate.set(streams=None)
    # An event is promised before the file has it.
    two.serves_all_of(saved)
    until_eventgate_has_all(two)
    assert _taken(two) >= len(saved)
    assert sum(two.status(wiki, EVENTGATE).dead for wiki in WIKIS) == 0


def test_an_eventgate_that_hangs_and_a_kafka_that_refuses_hold_up_no_score_and_no_file(
    two: Pair, way: FaultProxy
) -> None:
    taken = _taken(two)
    way.set("hang")
    behind = [edit for wiki in WIKIS for edit in two.save(wiki, 30)]
    two.until(lambda: way.held > 0, "a request that hangs")
    two.serves(*WIKIS, count=2)
    assert _taken(two) == taken
    two.serves_all_of(behind)
    way.set("pass")
    until_eventgate_has_all(two)
    assert all(two.status(wiki, KAFKA).pending > 30 for wiki in WIKIS)
    assert sum(two.status(wiki, lane).dead for wiki in WIKIS for lane in (EVENTGATE, KAFKA)) == 0


def until_eventgate_has_all(two: Pair) -> None:
    two.until(lambda: sum(two.status(wiki, EVENTGATE).pending for wiki in WIKIS) == 0, "all events at EventGate")


def _taken(two: Pair) -> int:
    taken: int = two.here.eventgate.summary()["distinct_ids"]
    return taken
