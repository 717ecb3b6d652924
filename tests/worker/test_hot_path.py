"""What a batch of 200 costs in statements, HTTP calls and Redis commands: exact numbers, whatever the machine."""

import json
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import CacheStats

from outbox import EDITS
from outbox.database import Database
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.patience import until
from tests.worker.asking import RISK
from tests.worker.conftest import BuildServices
from tests.worker.lines import drain, is_of_the_test, publish, save, statements, status
from worker.bootstrap import Services
from worker.events.file_sink import FILE

BATCH = 200


def warmed_up(services: Services, database: Database, endpoint: EmulatedEndpoint) -> Services:
    """With the model versions known and connections open, as they are after the first batch of a worker's life."""
    save(database, edits(1, first=9_000_001))
    drain(services)
    publish(services)
    save(database, edits(BATCH))
    endpoint.reset()
    return services


def test_a_batch_of_edits_costs_seven_statements_and_an_empty_claim(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    warmed_up(services, database, endpoint)

    with statements(services.wiki("enwiki").database) as seen:
        drain(services)

    verbs = [" ".join(statement.split()[:1]) for statement in seen]
    claim, known, settle = ["SELECT", "SELECT", "UPDATE"], ["SELECT"], ["DELETE", "INSERT", "INSERT"]
    assert verbs == [*claim, *known, *settle, "SELECT", "SELECT"]


def test_a_batch_of_events_costs_five_statements_and_an_empty_claim(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    warmed_up(services, database, endpoint)
    drain(services)

    with statements(services.wiki("enwiki").database) as seen:
        publish(services)

    verbs = [" ".join(statement.split()[:1]) for statement in seen]
    claim, settle = ["SELECT", "SELECT", "UPDATE"], ["DELETE", "INSERT"]
    assert verbs == [*claim, *settle, "SELECT"]


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_turn_takes_at_most_ten_round_trips_to_the_server_and_that_of_its_events_seven(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    """With the ends of transactions, which are no statements of ours."""
    warmed_up(services, database, endpoint)
    wiki = services.wiki("enwiki")

    trips = []
    # Of another pool, so that the turn has the connections that are warm.
    with database.reading() as connection:
        for lane in (EDITS, FILE.lane):
            before = sent_to_the_server(connection)
            services.turns.take(wiki, lane.name)
            # One is the question itself.
            trips.append(sent_to_the_server(connection) - before - 1)

    assert status(database, FILE.lane).pending == 0
    assert 0 < trips[0] <= 10
    assert 0 < trips[1] <= 7


def sent_to_the_server(connection: Connection) -> int:
    """Statements that the server got so far, from whomever."""
    return int(connection.execute(text("SHOW GLOBAL STATUS LIKE 'Questions'")).one()[1])


@pytest.mark.parametrize(
    ("kind", "models", "calls"),
    [("ores", ["damaging", "goodfaith"], 8), ("lift_wing", [RISK], 10), ("lift_wing", ["damaging", RISK], 210)],
)
def test_a_batch_costs_no_more_calls_than_the_api_needs(
    services_for: BuildServices,
    database: Database,
    endpoint: EmulatedEndpoint,
    kind: str,
    models: list[str],
    calls: int,
) -> None:
    services = warmed_up(services_for(models=models, endpoint={"kind": kind}), database, endpoint)

    drain(services)

    summary = endpoint.summary()
    assert (summary["calls"], summary["info_calls"]) == (calls, 0)
    assert summary["scores"] == summary["distinct_scores"] == BATCH * len(models)


def test_a_batch_costs_two_round_trips_to_redis_and_a_few_for_the_limits(
    services: Services, database: Database, endpoint: EmulatedEndpoint, redis: Redis
) -> None:
    warmed_up(services, database, endpoint)
    until(lambda: not held_places(redis), "the end of the last exchange")
    redis.config_resetstat()

    drain(services)

    until(lambda: not held_places(redis), "the end of the last exchange, which comes beside the work")
    commands = {name.removeprefix("cmdstat_"): entry["calls"] for name, entry in redis.info("commandstats").items()}
    # GET, SET, DEL and PUBLISH run inside of the scripts.
    scripts = {name: calls for name, calls in commands.items() if name in {"evalsha", "eval", "script|load"}}
    exchanges = (scripts["evalsha"] - 2) // 2
    # One when requests want to start and one when the last has ended; more only where replies come slowly.
    assert 2 <= exchanges <= 6
    assert scripts == {"evalsha": 2 + 2 * exchanges}
    # A lease and an answer for each score, and the state of the limits at each exchange.
    assert commands["set"] == 4 * BATCH + exchanges


def held_places(redis: Redis) -> dict[str, Any]:
    """Of the endpoint, by their holders."""
    (key,) = redis.scan_iter("ores-endpoint:*")
    held: dict[str, Any] = json.loads(redis.get(key) or b"")["members"]
    return held


def test_the_second_batch_of_a_kind_has_no_statement_compiled_anew(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    warmed_up(services, database, endpoint)
    drain(services)
    publish(services)
    save(database, edits(BATCH, first=1000))
    compiled: list[str] = []

    def note(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        is_new = context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT
        if is_new and not is_of_the_test(context):
            compiled.append(statement)

    engine = services.wiki("enwiki").database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        drain(services)
        publish(services)
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert status(database, EDITS).pending == 0
    assert compiled == []
