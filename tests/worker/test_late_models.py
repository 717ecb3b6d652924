"""A model whose call hangs, at an endpoint that serves the others at once."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from outbox import EDITS
from outbox.database import Database
from outbox.inspection import LaneStatus
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.patience import until
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, drain, make_due, promised_events, save, statements, status
from worker.bootstrap import Services

COUNT = 10
HANGS: dict[str, Any] = {"troubles": [{"models": ["goodfaith"], "latency_ms": 3_600_000}]}
STREAMS = {"prediction_streams": {"damaging": "predictions.damaging", "goodfaith": "predictions.goodfaith"}}
#: Much longer than a test waits for anything: what is there within it did not wait for a time-out.
ENDLESS = 120
AT_LIFT_WING: dict[str, Any] = {
    "endpoint": {"kind": "lift_wing", "timeout_seconds": ENDLESS},
    "flight": {"late_seconds": 0.1, "call_seconds": 2 * ENDLESS},
    "events": STREAMS,
}


@pytest.fixture
def services(services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint) -> Services:
    """Of a worker that knows the versions, at a Lift Wing with a server a model, where no request runs out of time."""
    services = services_for(**AT_LIFT_WING)
    know_the_versions(services, database, 9_000)
    endpoint.reset()
    return services


def know_the_versions(services: Services, database: Database, revision: int) -> None:
    """By an edit with that *revision*."""
    save(database, edits(1, first=revision))
    until(lambda: drained_again(services, database).pending == 0, "an edit whose answers have all come")


def drained_again(services: Services, database: Database) -> LaneStatus:
    """The lane once all is drained that waits: where the machine is busy, any answer may be late, and comes then."""
    make_due(database, EDITS)
    drain(services)
    return status(database, EDITS)


def until_classified(services: Services, database: Database, *revisions: int) -> None:
    def are_there() -> bool:
        drained_again(services, database)
        return classified_revisions(database) == set(revisions)

    until(are_there, "rows of the model that answers")


def test_rows_and_events_of_the_models_that_have_answered_wait_for_no_call_that_hangs(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(**HANGS)
    save(database, edits(COUNT))

    until_classified(services, database, 9_000, *range(1, COUNT + 1))

    streams = Counter(event["meta"]["stream"] for event in promised_events(database) if _revision(event) != 9_000)
    assert streams == {"predictions.damaging": COUNT}
    assert status(database, EDITS).waiting == COUNT


def test_a_model_that_hangs_before_anybody_knows_its_version_holds_up_no_rows_of_the_others(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(**HANGS)
    services = services_for(**AT_LIFT_WING)
    save(database, edits(COUNT))

    until_classified(services, database, *range(1, COUNT + 1))

    assert status(database, EDITS).waiting == COUNT


def test_a_score_that_hung_is_called_for_once_and_costs_no_attempt(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(**HANGS)
    save(database, edits(COUNT))
    for _ in range(3):
        drained_again(services, database)
    with database.reading() as connection:
        assert set(connection.execute(select(EDITS.waiting.c.attempt)).scalars()) == {0}
    endpoint.set(troubles=[])

    until(lambda: drained_again(services, database).pending == 0, "edits whose last score has come")
    calls = Counter(
        (model, revision) for call in endpoint.calls() for model in call["models"] for revision in call["revisions"]
    )
    assert set(calls.values()) == {1}
    assert len(calls) == 2 * COUNT
    assert Counter(event["meta"]["stream"] for event in promised_events(database))["predictions.goodfaith"] == COUNT + 1


def test_an_endpoint_that_is_slow_with_all_models_costs_no_more_statements(
    services: Services, services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    # Otherwise an answer that takes a moment would be late.
    patient = services_for(**AT_LIFT_WING | {"flight": {"late_seconds": ENDLESS, "call_seconds": 2 * ENDLESS}})
    know_the_versions(patient, database, 9_001)
    seen = []
    for number, (here, latency_ms) in enumerate(((patient, 0), (services, 800))):
        endpoint.set(latency_ms=latency_ms)
        save(database, edits(COUNT, first=100 * (number + 1)))
        with statements(here.wiki("enwiki").database) as found:
            drain(here)
        seen.append([text.split(maxsplit=1)[0] for text in found])

    assert seen[0] == seen[1]
    assert status(database, EDITS).pending == 0


def _revision(event: dict[str, Any]) -> Any:
    return event.get("rev_id") or event["revision"]["rev_id"]
