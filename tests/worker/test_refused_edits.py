"""Edits that an endpoint refuses for no fault of theirs wait and burn nothing, and are scored once it is mended."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import delete, select

from outbox import EDITS
from outbox.database import Database
from outbox.dead_letters import list_dead_letters
from tests.builders import an_edit, edits
from tests.patience import until
from tests.worker.clients.shapes import asked_models, ok, ores_error, right, right_document
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, drain, drain_missing, make_due, promised_events, save, status
from tests.worker.raw_server import RawServer, Request, http, raw_server_beside
from worker.bootstrap import Services
from worker.demo.processes import free_port
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Score, ScoreId
from worker.endpoints import limits
from worker.scores.on_demand import score_on_demand
from worker.scores.own_tables import BACKFILL
from worker.upkeep.populating import populate
from worker.upkeep.reconciling import reconcile

FORBIDDEN = http(403, b"Please set a user-agent and respect the robot policy.\n").replace(
    b"application/json", b"text/plain"
)
REFUSALS = {
    "who asks is not known": http(401, b"{}"),
    "who asks is not let in": FORBIDDEN,
    "there is no route": http(404, b""),
    "another address": http(301, b"<html>moved</html>"),
    "not ready yet": http(400, b'{"error": "Model enwiki-damaging is not ready yet."}'),
    "no such model": http(404, b'{"error": {"code": "not found", "message": "No scorers available for enwiki"}}'),
    "a page to log in": http(200, b"<html>Log in</html>"),
    "a gateway that says no with the status of success": http(200, b'{"httpReason": "Jwt is expired"}'),
}


@dataclass(slots=True)
class Endpoint:
    """Says what it is told to."""

    says: Callable[[Request], bytes] = right
    server: RawServer = field(default_factory=lambda: RawServer(right))

    def reply(self, request: Request) -> bytes:
        return self.says(request)

    def scored(self) -> list[Request]:
        """The requests for scores."""
        return [request for request in self.server.requests if "revids" in request.target]


@pytest.fixture
def mendable() -> Iterator[Endpoint]:
    here = Endpoint()
    with raw_server_beside(here.reply) as server:
        here.server = server
        yield here


@pytest.fixture
def services(services_for: BuildServices, mendable: Endpoint) -> Services:
    return services_for(scoring_url=mendable.server.url, models=["damaging"])


def waiting_attempts(database: Database) -> set[int]:
    waiting = EDITS.waiting
    with database.reading() as connection:
        return set(connection.execute(select(waiting.c.attempt)).scalars())


def drain_anew(services_for: BuildServices, database: Database, mendable: Endpoint) -> None:
    """Drain what waits as a worker does that knows nothing of an open circuit."""
    services = services_for(scoring_url=mendable.server.url, models=["damaging"], outbox={"max_attempts": 2})
    services.redis.flushdb()
    make_due(database, EDITS)
    drain(services)


@pytest.mark.parametrize("raw", REFUSALS.values(), ids=REFUSALS.keys())
def test_refused_edits_wait_unannounced_and_burn_nothing_however_often_and_then_are_scored(
    services_for: BuildServices, database: Database, mendable: Endpoint, raw: bytes
) -> None:
    save(database, [an_edit(revision=100)])
    drain_anew(services_for, database, mendable)
    mendable.says = lambda _: raw
    save(database, edits(10))
    for _ in range(4):
        drain_anew(services_for, database, mendable)

    assert len(mendable.scored()) >= 5
    assert (status(database, EDITS).waiting, waiting_attempts(database)) == (10, {0})
    assert len(promised_events(database)) == len(classified_revisions(database)) == 1

    mendable.says = right
    drain_anew(services_for, database, mendable)

    assert classified_revisions(database) == {100, *range(1, 11)}
    announced = [event["rev_id"] for event in promised_events(database) if "errors" not in event]
    assert announced == [100, *range(1, 11)]


@pytest.mark.parametrize("has_redis", [True, False])
def test_nothing_of_a_refusal_is_cached_so_that_populating_stores(
    services_for: BuildServices, database: Database, mendable: Endpoint, *, has_redis: bool
) -> None:
    redis = {} if has_redis else {"redis_url": f"redis://127.0.0.1:{free_port()}/0"}
    services = services_for(scoring_url=mendable.server.url, models=["damaging"], **redis)
    wiki = services.wiki("enwiki")
    save(database, [an_edit(revision=100)])
    drain(services)
    mendable.says = lambda _: FORBIDDEN
    save(database, edits(10))
    drain(services)
    # As somebody's hand may, who thinks that they are lost.
    with database.transaction() as session:
        session.execute(delete(EDITS.waiting))
        session.execute(delete(EDITS.messages))
    mendable.says = right

    assert sum(step.promised for step in populate(wiki)) == 10
    while status(database, BACKFILL).pending:
        drain_missing(services)
        make_due(database, BACKFILL)

    assert classified_revisions(database) == {100, *range(1, 11)}


def test_reconciling_finds_a_refused_edit_whose_promise_was_lost(
    services: Services, database: Database, mendable: Endpoint
) -> None:
    mendable.says = lambda _: FORBIDDEN
    save(database, edits(3))
    drain(services)
    with database.transaction() as session:
        session.execute(delete(EDITS.waiting))

    since = an_edit().timestamp.replace(year=2000)
    missing = [
        revision
        for step in reconcile(services.wiki("enwiki"), services.event_lanes, since)
        for revision in step.missing
    ]

    assert sorted(missing) == [1, 2, 3]


def test_a_score_on_demand_that_is_refused_is_no_final_answer_and_is_asked_for_again(
    services: Services, database: Database, mendable: Endpoint
) -> None:
    wiki, wanted = services.wiki("enwiki"), ScoreId("enwiki", "damaging", 7, "0.5.1")
    mendable.says = lambda _: FORBIDDEN

    with pytest.raises(
        EndpointUnavailable, match=r"status 403: Please set a user-agent.*; set endpoint\.contact"
    ) as no:
        services.runner.run(score_on_demand(wiki, wanted, services.flights["enwiki"], services.client))
    mendable.says = right

    def is_scored() -> bool:
        asked = score_on_demand(wiki, wanted, services.flights["enwiki"], services.client)
        with suppress(EndpointUnavailable):
            return isinstance(services.runner.run(asked), Score)
        return False

    assert no.value.failure is Failure.REFUSED
    until(is_scored, "the next probe of what was refused")
    assert status(database, EDITS).pending == 0


def test_a_model_that_the_endpoint_does_not_have_keeps_edits_waiting_and_is_an_alarm_and_no_other_is_asked_for_twice(
    services_for: BuildServices, database: Database, mendable: Endpoint
) -> None:
    def without_goodfaith(request: Request) -> bytes:
        if "models" in request.target and "goodfaith" in asked_models(request):
            message = "Models ('goodfaith',) not available for enwiki"
            return http(404, json.dumps({"error": {"code": "not found", "message": message}}).encode())
        return right(request)

    services = services_for(scoring_url=mendable.server.url, models=["damaging", "goodfaith"])
    mendable.says = without_goodfaith
    save(database, edits(10))
    for _ in range(6):
        drain(services)
        make_due(database, EDITS)

    assert status(database, EDITS).pending == 10
    assert waiting_attempts(database) <= {0}
    # The refusal is reported beside the work.
    until(lambda: "correct wikis.enwiki.models" in (services.limits["default"].alarm() or ""), "the alarm")
    scored = [request for request in mendable.scored() if asked_models(request) == ["damaging"]]
    assert len(scored) == 1


def test_a_quota_of_nothing_keeps_edits_waiting_and_is_an_alarm_in_the_end(
    services: Services, database: Database, mendable: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "THROTTLED_SECONDS", 0.0)
    mendable.says = lambda _: http(429, b'{"error": {"message": "You exceeded your current quota"}}')
    save(database, edits(10))
    drain(services)

    assert (status(database, EDITS).waiting, waiting_attempts(database)) == (10, {0})
    until(lambda: bool(services.limits["default"].alarm()), "the alarm")
    words = (mendable.server.url, "status 429: You exceeded your current quota", "requests_per_second")
    assert all(word in (services.limits["default"].alarm() or "") for word in words)


def in_place_of_scores(kind: str, message: str, revisions: set[int]) -> Callable[[Request], bytes]:
    """Replies as ORES', with an error of *kind* for each of *revisions*."""

    def reply(request: Request) -> bytes:
        document = right_document(request)
        for revision, of_models in document["enwiki"].get("scores", {}).items():
            if int(revision) in revisions:
                document["enwiki"]["scores"][revision] = {model: ores_error(kind, message) for model in of_models}
        return ok(document)

    return reply


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("TimeoutError", "Timed out after 15 seconds."),
        ("CaughtDependencyError", "ConnectionError: Failed to process datasource.revision.text\nTraceback"),
        ("NobodyHeardOfIt", ""),
        ("Bad Request", "Generic error while extracting features for rev-id 7: KeyError"),
    ],
)
def test_a_passing_error_inside_a_reply_is_asked_for_again_and_costs_no_other_edit(
    services: Services, database: Database, mendable: Endpoint, kind: str, message: str
) -> None:
    mendable.says = in_place_of_scores(kind, message, {7})
    save(database, edits(10))
    drain(services)

    assert {event["rev_id"] for event in promised_events(database)} == {*range(1, 11)} - {7}
    assert waiting_attempts(database) == {1}

    mendable.says = right
    make_due(database, EDITS)
    drain(services)

    assert classified_revisions(database) == set(range(1, 11))
    assert all("errors" not in event for event in promised_events(database))


def test_an_error_inside_a_reply_that_never_passes_ends_as_a_dead_letter(
    services_for: BuildServices, database: Database, mendable: Endpoint
) -> None:
    services = services_for(scoring_url=mendable.server.url, models=["damaging"], outbox={"max_attempts": 2})
    mendable.says = in_place_of_scores("NobodyHeardOfIt", "no", {7})
    save(database, edits(10))
    for _ in range(2):
        drain(services)
        make_due(database, EDITS)

    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EDITS)
    assert json.loads(letter.payload)["revision"] == 7
    assert "NobodyHeardOfIt: no" in letter.error
    assert {event["rev_id"] for event in promised_events(database) if "errors" in event} == {7}


@pytest.mark.parametrize("kind", ["TextDeleted", "UserDeleted", "CommentDeleted", "RevisionNotFound", "PageNotFound"])
def test_an_error_about_the_revision_is_its_end_after_one_call(
    services: Services, database: Database, mendable: Endpoint, kind: str
) -> None:
    mendable.says = in_place_of_scores(kind, "gone", {7})
    save(database, [an_edit(revision=7)])
    drain(services)

    (event,) = promised_events(database)
    assert event["errors"]["damaging"]["type"] == kind
    assert len(mendable.scored()) == 1
    assert status(database, EDITS).pending == 0
