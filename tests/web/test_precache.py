"""Precaching: an event of an edit is scored in advance, by the models that our own plan picks."""

from typing import Any

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.web.documents import scores
from tests.web.fronts import Front
from worker.domain.models import DEFAULT_MODELS
from worker.web.precache import question_of
from worker.web.questions import Question
from worker.web.refusals import Refusal

MODELS = ("damaging", "articlequality", "draftquality", "revertrisklanguageagnostic")
WIKIS = {"enwiki": {name: DEFAULT_MODELS[name] for name in MODELS}}
MISSING = object()


def an_event(**fields: Any) -> dict[str, Any]:
    """As change-propagation posts it: wikimedia/change-propagation sys/ores_updates.js and test/utils."""
    event = {
        "$schema": "/mediawiki/revision/create/2.0.0",
        "meta": {
            "stream": "mediawiki.revision-create",
            "domain": "en.wikipedia.org",
            "uri": "https://en.wikipedia.org/wiki/Page",
            "dt": "2026-01-01T00:00:00Z",
            "id": "b0caf18d-6c7f-4403-947d-2712bbe28610",
            "request_id": "c62ff9a5-1f9a-4c2e-9b3c-0d0d0d0d0d0d",
        },
        "database": "enwiki",
        "page_id": 7,
        "page_title": "Page",
        "page_namespace": 0,
        "page_is_redirect": False,
        "performer": {"user_text": "Alice", "user_groups": ["*", "user"], "user_is_bot": False},
        "rev_id": 745065890,
        "rev_parent_id": 745065889,
        "rev_timestamp": "2026-01-01T00:00:00Z",
    }
    return {name: value for name, value in (event | fields).items() if value is not MISSING}


@pytest.mark.parametrize(
    ("fields", "models"),
    [
        ({}, ("damaging", "articlequality", "revertrisklanguageagnostic")),
        ({"page_namespace": 1}, ("damaging",)),
        ({"page_namespace": MISSING}, ("damaging",)),
        ({"rev_parent_id": MISSING}, ("damaging", "articlequality", "draftquality")),
        ({"rev_parent_id": 0}, ("damaging", "articlequality", "draftquality")),
    ],
)
def test_the_models_are_those_of_our_own_plan(fields: dict[str, Any], models: tuple[str, ...]) -> None:
    assert question_of(an_event(**fields), WIKIS) == Question("enwiki", models, (745065890,), is_precache=True)


@pytest.mark.parametrize("performer", [{"user_is_bot": True}, {"user_groups": ["bot"]}])
def test_a_bots_edit_is_left_to_the_models_that_score_bots(performer: dict[str, Any]) -> None:
    without_bots = {"damaging": DEFAULT_MODELS["damaging"].model_copy(update={"exclude_bots": True})}

    assert question_of(an_event(performer=performer), {"enwiki": without_bots}) is None
    assert question_of(an_event(performer=performer), WIKIS) is not None


@pytest.mark.parametrize(
    "fields",
    [{"database": "nowiki"}, {"meta": {"stream": "mediawiki.page-create"}}],
)
def test_an_event_that_no_model_is_for_asks_nothing(fields: dict[str, Any]) -> None:
    assert question_of(an_event(**fields), WIKIS) is None


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "Must provide a POST'ed json as an event"),
        ([], "Must provide a POST'ed json as an event"),
        (an_event(database=MISSING), "Must provide the 'database' parameter"),
        (an_event(rev_id=MISSING), "Must provide the 'rev_id' parameter"),
        (an_event(meta=MISSING), "Must provide the 'meta' parameter"),
        (an_event(meta={}), "Must provide the 'stream' parameter"),
        (an_event(rev_id="7"), "Could not interpret the 'rev_id' parameter"),
        (an_event(rev_id=True), "Could not interpret the 'rev_id' parameter"),
        (an_event(database=["enwiki"]), "Could not interpret the 'database' parameter"),
        (an_event(meta="x"), "Could not interpret the 'meta' parameter"),
    ],
)
def test_an_event_without_what_is_needed_is_a_bad_request(event: Any, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        question_of(event, WIKIS)

    assert (refused.value.status, refused.value.message) == (400, message)


@pytest.mark.parametrize(
    "performer", [None, [], "x", {"user_groups": None}, {"user_groups": "bot"}, {"user_groups": [{}]}]
)
def test_a_performer_that_cannot_be_read_is_nobody_in_particular(performer: Any) -> None:
    assert question_of(an_event(performer=performer), WIKIS) is not None


def test_a_posted_event_is_answered_as_a_request_for_its_scores(front: Front) -> None:
    reply = front.post("/v3/precache", json=an_event())

    assert reply.status_code == 200
    assert reply.json() == front.json("/v3/scores/enwiki/745065890")
    assert reply.json()["enwiki"]["scores"] == scores(745065890)


def test_a_precached_score_costs_nobody_else_a_call(front: Front, endpoint: EmulatedEndpoint) -> None:
    front.post("/v3/precache/", json=an_event())
    calls = endpoint.summary()["calls"]

    front.json("/v3/scores/enwiki/745065890")

    assert endpoint.summary()["calls"] == calls


def test_an_event_for_which_there_is_nothing_to_do_has_no_content(front: Front) -> None:
    reply = front.post("/v3/precache", json=an_event(database="nowiki"))

    assert (reply.status_code, reply.content) == (204, b"")


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_a_body_that_is_no_event_is_a_bad_request(front: Front, body: bytes) -> None:
    reply = front.post("/v3/precache", content=body)

    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == "Must provide a POST'ed json as an event"
