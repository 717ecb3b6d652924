"""One model's error costs no other model's score: not in the classifications, not in the event, not in a retry."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from outbox import EDITS, EditSource
from outbox.database import Database
from tests.builders import an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import RISK
from tests.worker.clients.shapes import asked_models, asked_revisions, ok, ores_error, right, right_document, server_of
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, drain, drain_missing, make_due, promised_events, save, status
from tests.worker.raw_server import RawServer, Request, http, raw_server_beside
from tests.worker.schema import validated
from worker.scores.own_tables import BACKFILL
from worker.scores.tables import ores_classification, ores_model

#: Also what events call it.
RISK_SERVER = "revertrisk-language-agnostic"
NOT_SCORABLE = http(
    422, b'{"detail": "Could not make prediction for revisions [7] (en). Reason: parent_revision_missing"}'
)

MakeReply = Callable[[Request], bytes]


def classified_models(database: Database) -> set[str]:
    model = ores_model.c
    query = select(model.oresm_name).join(ores_classification, model.oresm_id == ores_classification.c.oresc_model)
    with database.reading() as connection:
        return set(connection.execute(query).scalars())


def event_of(database: Database, revision: int = 7) -> dict[str, Any]:
    """The one event of *revision*, checked against its schema."""
    (event,) = [event for event in promised_events(database) if event["rev_id"] == revision]
    checked: dict[str, Any] = validated(json.dumps(event))
    return checked


def but_for(server: str, reply: bytes) -> MakeReply:
    """Right replies, but *reply* from *server*."""
    return lambda request: reply if server_of(request) == server else right(request)


@pytest.fixture
def drained(services_for: BuildServices, database: Database) -> Callable[..., RawServer]:
    """Drains one edit, revision 7, that damaging and revert risk score, with an endpoint that replies as told."""

    def drain_with(reply: MakeReply, *, rounds: int = 1, **settings: Any) -> RawServer:
        defaults: dict[str, Any] = {"models": ["damaging", RISK], "endpoint": {"kind": "lift_wing"}}
        with raw_server_beside(reply) as server:
            services = services_for(scoring_url=server.url, **(defaults | settings))
            save(database, [an_edit(revision=7)])
            for _ in range(rounds):
                drain(services)
                make_due(database, EDITS)
        return server

    return drain_with


Drained = Callable[..., RawServer]


def test_a_score_is_stored_and_announced_beside_the_final_error_of_another_model(
    drained: Drained, database: Database
) -> None:
    drained(but_for(RISK_SERVER, NOT_SCORABLE))

    event = event_of(database)
    assert (set(event["scores"]), set(event["errors"])) == ({"damaging"}, {RISK_SERVER})
    assert event["errors"][RISK_SERVER]["type"] == "RevisionNotFound"
    assert classified_models(database) == {"damaging"}
    assert status(database, EDITS).pending == 0


def test_the_same_holds_the_other_way_round(drained: Drained, database: Database) -> None:
    drained(but_for("enwiki-damaging", http(400, b'{"error": "Missing resource for rev-id 7"}')))

    event = event_of(database)
    assert (set(event["scores"]), set(event["errors"])) == ({RISK_SERVER}, {"damaging"})
    assert event["errors"]["damaging"]["type"] == "MissingResource"
    assert classified_models(database) == {RISK}


def test_the_same_holds_for_two_models_in_one_reply_of_ores(drained: Drained, database: Database) -> None:
    def reply(request: Request) -> bytes:
        document = right_document(request)
        for of_models in document["enwiki"]["scores"].values():
            of_models["goodfaith"] = ores_error("UnexpectedContentType", "not text")
        return ok(document)

    drained(reply, models=["damaging", "goodfaith"], endpoint={"kind": "ores"})

    event = event_of(database)
    assert (set(event["scores"]), set(event["errors"])) == ({"damaging"}, {"goodfaith"})
    assert event["errors"]["goodfaith"]["type"] == "UnexpectedContentType"
    assert classified_models(database) == {"damaging"}


def test_while_one_model_gives_no_answer_the_edit_waits_and_the_other_models_score_is_not_asked_for_again(
    drained: Drained, database: Database
) -> None:
    failures = [http(500, b"{}")] * 2

    def reply(request: Request) -> bytes:
        return failures.pop() if server_of(request) == RISK_SERVER and failures else right(request)

    server = drained(reply, rounds=4)

    assert set(event_of(database)["scores"]) == {"damaging", RISK_SERVER}
    assert [model for request in server.requests for model in asked_models(request)].count("damaging") <= 2


def test_the_rows_of_a_model_are_stored_while_another_gives_no_answer(drained: Drained, database: Database) -> None:
    drained(but_for(RISK_SERVER, http(500, b"{}")))

    assert classified_models(database) == {"damaging"}
    assert promised_events(database) == []
    assert status(database, EDITS).waiting == 1


def test_an_event_on_a_stream_of_one_model_goes_once_without_waiting_for_the_others(
    drained: Drained, database: Database
) -> None:
    drained(
        but_for(RISK_SERVER, http(500, b"{}")),
        rounds=4,
        outbox={"max_attempts": 20},
        events={"prediction_streams": {"damaging": "predictions.damaging", RISK: "predictions.risk"}},
    )

    assert [event["meta"]["stream"] for event in promised_events(database)] == ["predictions.damaging"]


def test_a_model_that_never_answers_is_named_in_the_event_of_the_others_after_a_while_and_owes_its_rows(
    drained: Drained, database: Database
) -> None:
    drained(but_for(RISK_SERVER, http(500, b"{}")), events={"wait_seconds": 0})

    event = event_of(database)
    assert (set(event["scores"]), set(event["errors"])) == ({"damaging"}, {RISK_SERVER})
    assert event["errors"][RISK_SERVER]["type"] == "ModelUnavailable"
    assert classified_models(database) == {"damaging"}
    assert status(database, BACKFILL).pending == 1


def test_a_score_that_comes_after_the_event_adds_its_rows_and_no_event(
    services_for: BuildServices, database: Database
) -> None:
    is_down = [True]

    def reply(request: Request) -> bytes:
        return http(500, b"{}") if is_down and server_of(request) == RISK_SERVER else right(request)

    save(database, [an_edit(revision=7)])
    with raw_server_beside(reply) as server:
        endpoint = {"kind": "lift_wing"}
        services = services_for(
            scoring_url=server.url, models=["damaging", RISK], endpoint=endpoint, events={"wait_seconds": 0}
        )
        drain(services)
        before = promised_events(database)
        is_down.clear()
        make_due(database, BACKFILL)
        drain_missing(services)

    assert classified_models(database) == {"damaging", RISK}
    assert promised_events(database) == before
    assert status(database, BACKFILL).pending == 0


def test_one_edits_error_costs_no_other_edits_score(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(missing_revisions=[7])
    save(database, edits(20))

    drain(services_for(models=["damaging", RISK], endpoint={"kind": "lift_wing"}))

    events = promised_events(database)
    assert {event["rev_id"] for event in events if "errors" in event} == {7}
    assert classified_revisions(database) == set(range(1, 21)) - {7}


def test_an_edit_that_no_model_scores_is_announced_without_a_call(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, [an_edit(revision=7, source=EditSource.NEW, parent_revision=0)])

    drain(services_for(models=[RISK], endpoint={"kind": "lift_wing"}))

    event = event_of(database)
    assert event.keys().isdisjoint({"scores", "errors"})
    assert endpoint.summary()["calls"] == 0


def test_a_version_that_no_table_holds_costs_one_attempt_and_no_other_edit(
    services_for: BuildServices, database: Database
) -> None:
    def reply(request: Request) -> bytes:
        document = right_document(request)
        if asked_revisions(request) == [7]:
            document["enwiki"]["models"]["damaging"]["version"] = "é" * 32
        return ok(document)

    save(database, edits(20))
    with raw_server_beside(reply) as server:
        drain(services_for(scoring_url=server.url, models=["damaging"], endpoint={"kind": "lift_wing"}))

    assert classified_revisions(database) == set(range(1, 21)) - {7}
    assert status(database, EDITS).waiting == 1


GONE = b"Could not make prediction for revisions [7] (en). Reason: "


@pytest.mark.parametrize(("code", "words", "waiting"), [(422, GONE, 0), (400, b"", 1), (500, b"", 1)])
def test_words_that_no_table_holds_are_written_down_all_the_same(
    drained: Drained, database: Database, code: int, words: bytes, waiting: int
) -> None:
    drained(but_for(RISK_SERVER, http(code, b'{"detail": "' + words + b'\\ud800 \\u0000 gone"}')))

    assert status(database, EDITS).waiting == waiting
    assert len(promised_events(database)) == 1 - waiting
