"""What becomes of edits while the endpoint fails, and when it never answers."""

import dataclasses
import json

from outbox import EDITS
from outbox.database import Database
from outbox.dead_letters import list_dead_letters, requeue
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.clients.shapes import asked_revisions, right
from tests.worker.conftest import BuildServices
from tests.worker.lines import (
    classified_revisions,
    drain,
    make_due,
    promised_events,
    save,
    set_attempts,
    status,
)
from tests.worker.raw_server import Request, http, raw_server_beside
from worker.bootstrap import Services
from worker.domain.models import with_overrides

DOWN = {"rate": 1, "status": 503}


def waiting_attempts(database: Database) -> set[int]:
    waiting = EDITS.waiting
    with database.reading() as connection:
        return set(connection.execute(waiting.select().with_only_columns(waiting.c.attempt)).scalars())


def test_while_the_endpoint_is_down_edits_wait_and_nothing_is_written(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures=DOWN)
    save(database, edits(10))

    drain(services)

    assert status(database, EDITS).waiting == 10
    assert promised_events(database) == []
    assert classified_revisions(database) == set()


def test_an_outage_burns_no_attempt_of_any_edit(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures=DOWN)
    save(database, edits(10))

    for _ in range(3):
        drain(services)
        make_due(database, EDITS)
    drain(services)

    assert waiting_attempts(database) == {0}


def test_where_nothing_but_errors_is_answered_no_edit_runs_out_of_attempts(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures={"rate": 1, "status": 500})
    save(database, edits(2))

    for _ in range(services.settings.outbox.max_attempts + 1):
        drain(services)
        make_due(database, EDITS)

    assert status(database, EDITS).waiting == 2
    assert promised_events(database) == []


def test_an_edit_that_the_endpoint_fails_over_while_it_serves_others_runs_out_of_attempts(
    services_for: BuildServices, database: Database
) -> None:
    def reply(request: Request) -> bytes:
        return http(500, b"{}") if 7 in asked_revisions(request) else right(request)

    save(database, edits(9))
    with raw_server_beside(reply) as server:
        services = services_for(scoring_url=server.url, outbox={"max_attempts": 3})
        for number in range(4):
            # There are always others, who are served.
            save(database, edits(2, first=100 + 2 * number))
            drain(services)
            make_due(database, EDITS)

    assert status(database, EDITS).dead == 1
    assert {event["rev_id"] for event in promised_events(database) if "errors" in event} == {7}


def test_once_the_endpoint_is_back_everything_is_delivered(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures=DOWN)
    save(database, edits(10))
    drain(services)
    endpoint.set(failures=None)
    make_due(database, EDITS)

    drain(services)

    assert sorted(event["rev_id"] for event in promised_events(database)) == list(range(1, 11))
    assert classified_revisions(database) == set(range(1, 11))
    assert status(database, EDITS).pending == 0


def test_what_was_scored_before_a_retry_is_not_called_again(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    services = services_for(endpoint={"kind": "lift_wing"})
    save(database, edits(40))
    drain(services)
    endpoint.reset()
    endpoint.set(broken_revisions=[45])
    save(database, edits(10, first=41))
    drain(services)
    endpoint.set(broken_revisions=None)
    make_due(database, EDITS)

    drain(services)

    calls = [
        (model, revision)
        for call in endpoint.calls()
        if call["status"] == 200
        for model in call["models"]
        for revision in call["revisions"]
    ]
    assert len(calls) == len(set(calls)) == 20
    assert sorted(event["rev_id"] for event in promised_events(database)) == list(range(1, 51))


def test_an_edit_out_of_attempts_is_announced_with_errors_and_kept_as_a_dead_letter(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    services = services_for(endpoint={"kind": "lift_wing"}, outbox={"max_attempts": 2})
    endpoint.set(broken_revisions=[2])
    save(database, edits(3))

    drain(services)
    make_due(database, EDITS)
    drain(services)

    events = {event["rev_id"]: event for event in promised_events(database)}
    assert {error["type"] for error in events[2]["errors"].values()} == {"AttemptsExhausted"}
    assert set(events) == {1, 2, 3}
    with database.reading() as connection:
        letters = list_dead_letters(connection, EDITS)
    assert [(letter.reason, letter.attempt, json.loads(letter.payload)["revision"]) for letter in letters] == [
        ("attempts_exhausted", 2, 2)
    ]


def test_what_comes_of_a_requeued_letter_is_announced_as_another_event_than_its_errors(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    services = services_for(endpoint={"kind": "lift_wing"}, outbox={"max_attempts": 1})
    save(database, edits(3))
    endpoint.set(broken_revisions=[2])
    drain(services)
    endpoint.set(broken_revisions=None)
    with database.transaction() as session:
        requeue(session, EDITS, [letter.id for letter in list_dead_letters(session, EDITS)])

    drain(services)

    given_up, scored = (event for event in promised_events(database) if event["rev_id"] == 2)
    assert ("errors" in given_up, "errors" in scored) == (True, False)
    assert given_up["meta"]["id"] != scored["meta"]["id"]


def test_an_edit_whose_every_worker_died_is_announced_without_being_scored_again(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(1, first=100))
    drain(services)
    endpoint.reset()
    save(database, edits(1))
    set_attempts(database, EDITS, 8)

    drain(services)

    event = promised_events(database)[-1]
    assert {error["type"] for error in event["errors"].values()} == {"AttemptsExhausted"}
    assert endpoint.summary()["calls"] == 0
    assert status(database, EDITS).dead == 1


def test_a_class_that_is_not_configured_is_announced_and_kept_as_a_dead_letter(
    services: Services, database: Database
) -> None:
    one_class = with_overrides({"damaging": {"classes": {"true": 1}}})["damaging"]
    save(database, edits(1))

    drain(services, dataclasses.replace(services.wiki("enwiki"), models={"damaging": one_class}))

    assert promised_events(database)[0]["scores"].keys() == {"damaging"}
    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EDITS)
    assert letter.reason == "unknown_class"
    assert '[wikis.enwiki.classes] damaging = { "false" = ?, "true" = 1 }' in str(letter.error)
