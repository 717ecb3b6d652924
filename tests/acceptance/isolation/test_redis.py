"""Redis that is not there, goes away or goes silent costs time and calls; scoring goes on."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.isolation.pair import PROCESSES, Pair, pair
from tests.acceptance.running import Running
from tests.fault_proxy import FaultProxy, fault_proxy

WIKI = "enwiki"
#: Long enough for no call to be given up; leases that Redis took with it are waited for.
CALLS: dict[str, Any] = {"flight": {"call_seconds": 8}, "endpoint": {"timeout_seconds": 7}}


@pytest.fixture(scope="module")
def way() -> Iterator[FaultProxy]:
    """Stands between the workers and Redis; nobody listens there yet."""
    with fault_proxy(0) as proxy:
        proxy.set("refuse")
        yield proxy


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, databases_on_mariadb: NewDatabase, way: FaultProxy) -> Iterator[Pair]:
    """The workers reach Redis by way of the proxy; the test itself does not need to."""
    directory = tmp_path_factory.mktemp("redis")

    def by_the_way(here: Running) -> None:
        way.behind = here.redis_port
        file = directory / "outpatrol.toml"
        file.write_text(file.read_text().replace(f":{here.redis_port}/", f":{way.port}/"))

    with pair(directory, {WIKI: databases_on_mariadb(WIKI)}, before=by_the_way, **CALLS) as two:
        yield two


@pytest.fixture
def with_redis(two: Pair, way: FaultProxy) -> Iterator[None]:
    """Redis is there before the test and after it, whatever came of it."""
    way.set("pass")
    two.serves_first(WIKI)
    # They serve without it, too.
    control: Any = two.here.client.control
    two.until(lambda: len(control.ping(timeout=0.5)) == PROCESSES, "both processes at Redis")
    yield
    way.set("pass")
    two.here.endpoint.reset()


def test_a_worker_that_starts_before_redis_scores_without_it(two: Pair) -> None:
    two.serves_all_of(two.save(WIKI, 60))


def test_redis_is_used_when_it_comes(two: Pair, way: FaultProxy) -> None:
    before = way.connections
    way.set("pass")
    two.until(lambda: way.connections > before, "a connection to Redis")
    # Rung for in Redis: without it nothing would be asked for on demand.
    assert two.answers(f"{WIKI}:damaging:900000:0.5.1")


@pytest.mark.usefixtures("with_redis")
def test_scoring_goes_on_while_redis_is_gone_and_each_score_is_asked_for_once(two: Pair, way: FaultProxy) -> None:
    two.here.endpoint.set(latency_ms=200, troubles=[{"latency_ms": 3_600_000}])
    saved = two.save(WIKI, 300)
    two.until(lambda: two.here.endpoint.summary()["in_flight"] > 0, "a call under way")
    way.set("refuse")
    two.here.endpoint.set(troubles=None)
    two.serves_all_of(saved)
    assert two.here.endpoint.summary()["overlaps"] == 0
    way.set("pass")
    two.serves(WIKI, count=1)


@pytest.mark.long
@pytest.mark.usefixtures("with_redis")
def test_connections_to_redis_that_go_silent_cost_no_more_than_their_time_out(two: Pair, way: FaultProxy) -> None:
    before = len(two.logged())
    way.forget()
    saved = two.save(WIKI)
    two.until(lambda: two.has_announced(saved), "an edit that is announced", seconds=45)
    two.serves(WIKI)
    # Later than the edit, maybe: it may have needed none of the connections that are silent.
    two.until(lambda: any(map(_tells_of_redis, two.logged()[before:])), "a warning about Redis", seconds=45)


@pytest.mark.long
@pytest.mark.usefixtures("with_redis")
def test_a_redis_that_takes_connections_and_never_answers_is_done_without_and_used_again(
    two: Pair, way: FaultProxy
) -> None:
    before = len(two.logged())
    way.set("hang")
    two.serves_all_of(two.save(WIKI, 60))
    assert {"celery_silent", "redis_gone"} <= {line["event"] for line in two.logged()[before:]}
    way.set("pass")
    two.serves(WIKI, count=1)
    asked = two.here.client.send_task("score", task_id=f"{WIKI}:damaging:900001:0.5.1")
    assert asked.get(timeout=60)["model"] == "damaging"


@pytest.mark.long
@pytest.mark.usefixtures("with_redis")
def test_a_redis_that_drips_is_done_without_and_used_again(two: Pair, way: FaultProxy) -> None:
    before = len(two.logged())
    # No reply, however short, comes within the time-out, and no pause between two bytes reaches it.
    way.set("drip", seconds=1)
    two.serves_all_of(two.save(WIKI, 60))
    assert any(map(_tells_of_redis, two.logged()[before:]))
    way.set("pass")
    two.serves(WIKI, count=1)
    asked = two.here.client.send_task("score", task_id=f"{WIKI}:damaging:900002:0.5.1")
    assert asked.get(timeout=60)["model"] == "damaging"


def _tells_of_redis(line: dict[str, Any]) -> bool:
    return line["level"] == "warning" and "redis" in str(line).lower()
