"""The replies of the emulated EventGate are those that the real one was seen to give."""

import json
from typing import Any

import httpx
import pytest

from tests.emulators.eventgate.asking import (
    ABSENT,
    SCORE,
    Event,
    a_prediction_event,
    a_score,
    a_score_event,
    reply_to,
    reply_to_body,
)
from worker.emulators.eventgate.endpoint import EventGateSettings

UNKNOWN = "/mediawiki/revision/score/9.9.9"
STREAMS = {"mediawiki.revision-score": "mediawiki/revision/score", "mediawiki.other": "mediawiki/other"}


def invalid_and_errors(reply: httpx.Response) -> tuple[list[Event], list[Event]]:
    """The events in a reply that are invalid, and those in error."""
    body = reply.json()
    return [entry["event"] for entry in body["invalid"]], [entry["event"] for entry in body["error"]]


def test_valid_events_of_any_kinds_are_taken_in_their_order_with_201_and_no_body() -> None:
    events = [a_score_event("1"), a_prediction_event(), a_score_event("2")]
    reply, kept = reply_to(*events)
    assert (reply.status_code, reply.reason_phrase) == (201, "All 3 out of 3 events were accepted.")
    assert reply.content == b""
    assert kept == events


def test_an_event_need_not_be_in_an_array() -> None:
    reply, kept = reply_to_body(json.dumps(a_score_event()))
    assert (reply.status_code, reply.reason_phrase) == (201, "All 1 out of 1 events were accepted.")
    assert kept == [a_score_event()]


def test_an_invalid_event_comes_back_with_400_and_what_is_wrong_with_it() -> None:
    event = a_score_event(rev_id="x")
    reply, kept = reply_to(event)
    assert (reply.status_code, reply.reason_phrase) == (400, "1 out of 1 events were invalid and not accepted.")
    error = {
        "keyword": "type",
        "dataPath": ".rev_id",
        "schemaPath": "#/properties/rev_id/type",
        "params": {"type": "integer"},
        "message": "should be integer",
    }
    context = {"errors": [error], "errorsText": "'.rev_id' should be integer"}
    assert reply.json() == {"invalid": [{"status": "invalid", "event": event, "context": context}]}
    assert kept == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rev_id": "x"}, "'.rev_id' should be integer"),
        ({"surplus": 1}, "'' should NOT have additional properties"),
        ({"dt": ABSENT}, "'' should have required property 'dt'"),
        ({"dt": 20260101}, "'.dt' should be string"),
        ({"rev_parent_id": None}, "'.rev_parent_id' should be integer"),
        ({"dt": "20260101100000"}, "'.dt' should match format \"date-time\""),
        ({"meta": {}}, "'.meta' should have required property 'stream'"),
        ({"meta": {"stream": ""}}, "'.meta.stream' should NOT be shorter than 1 characters"),
        ({"page_id": 0}, "'.page_id' should be >= 1"),
        ({"page_id": 2**53}, "'.page_id' should be <= 9007199254740991"),
        ({"dt": "2026-01-01T10:00:00." + "0" * 120 + "Z"}, "'.dt' should NOT be longer than 128 characters"),
        ({"scores": {"a-b": a_score(prediction=["x", True])}}, "'.scores['a-b'].prediction[1]' should be string"),
        (
            {"scores": {"damaging": {"prediction": ["x"], "probability": {}}}},
            (
                "'.scores.damaging' should have required property 'model_name', "
                "'.scores.damaging' should have required property 'model_version'"
            ),
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_ajv(changes: Event, said: str) -> None:
    reply, _ = reply_to(a_score_event(**changes))
    assert reply.json()["invalid"][0]["context"]["errorsText"] == said


def test_an_unlisted_value_is_said_in_the_words_of_ajv() -> None:
    reply, _ = reply_to(a_prediction_event(changelog_kind="upsert"))
    error = reply.json()["invalid"][0]["context"]["errors"][0]
    assert (error["message"], error["params"]) == (
        "should be equal to one of the allowed values",
        {"allowedValues": ["insert", "update", "delete"]},
    )


@pytest.mark.parametrize(
    "uri",
    [
        UNKNOWN,
        "https://schema.wikimedia.org" + SCORE,
        "/../schemas" + SCORE,
        SCORE.removeprefix("/"),
        7,
        [SCORE],
    ],
)
def test_an_unknown_schema_is_an_error_and_not_the_fault_of_the_event(uri: object) -> None:
    event = a_score_event() | {"$schema": uri}
    reply, kept = reply_to(event)
    assert reply.status_code == 500
    entry = {"status": "error", "event": event, "context": {"message": f"Failed loading schema at {uri}"}}
    assert reply.json() == {"invalid": [], "error": [entry]}
    assert kept == []


def test_where_no_schema_can_be_loaded_every_event_is_an_error() -> None:
    reply, kept = reply_to(a_score_event(), settings=EventGateSettings(has_schemas=False))
    (entry,) = reply.json()["error"]
    assert entry["context"] == {"message": f"Failed loading schema at {SCORE}"}
    assert kept == []


@pytest.mark.parametrize("event", [{"meta": {}}, 7, "event", None, [], [[]]])
def test_an_event_that_names_no_schema_is_an_error(event: object) -> None:
    reply, _ = reply_to(event)
    assert reply.status_code == 500
    message = "Field(s) $schema were missing from event and could not be extracted."
    assert reply.json()["error"] == [{"status": "error", "event": event, "context": {"message": message}}]


def test_a_good_and_an_invalid_event_give_207_and_the_good_one_is_taken() -> None:
    good, bad = a_score_event("1"), a_score_event("2", rev_id="x")
    reply, kept = reply_to(good, bad)
    said = "1 out of 2 events were accepted, but 1 failed (1 invalid and 0 errored)."
    assert (reply.status_code, reply.reason_phrase) == (207, said)
    assert invalid_and_errors(reply) == ([bad], [])
    assert kept == [good]


def test_a_good_event_and_one_of_an_unknown_schema_give_207() -> None:
    good, unknown = a_score_event("1"), a_score_event("2") | {"$schema": UNKNOWN}
    reply, kept = reply_to(good, unknown)
    assert reply.status_code == 207
    assert invalid_and_errors(reply) == ([], [unknown])
    assert kept == [good]


def test_an_invalid_event_and_one_of_an_unknown_schema_give_500_with_both() -> None:
    bad, unknown = a_score_event("1", rev_id="x"), a_score_event("2") | {"$schema": UNKNOWN}
    reply, kept = reply_to(bad, unknown)
    said = "2 out of 2 events had failures and were not accepted. (1 invalid and 1 errored)."
    assert (reply.status_code, reply.reason_phrase) == (500, said)
    assert invalid_and_errors(reply) == ([bad], [unknown])
    assert kept == []


def test_latest_names_the_newest_schema_and_stays_in_the_event() -> None:
    latest = a_prediction_event("/mediawiki/page/prediction_classification_change/latest", performer=ABSENT)
    reply, kept = reply_to(latest)
    assert (reply.status_code, kept) == (201, [latest])


@pytest.mark.parametrize(
    ("dt", "status"),
    [
        ("2026-01-01T10:00:00Z", 201),
        ("2026-01-01T10:00:00.123456Z", 201),
        ("2026-01-01T10:00:00+00:00", 201),
        ("2026-01-01 10:00:00Z", 201),
        ("2026-01-01T10:00:00", 400),
        ("2026-01-01T10:00:00Z\n", 400),
        ("20260101100000", 400),
        (1767261600, 400),
    ],
)
def test_a_time_needs_dashes_colons_and_an_offset(dt: object, status: int) -> None:
    assert reply_to(a_score_event(dt=dt))[0].status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        {"rev_parent_id": 0},
        {"meta": {"stream": "mediawiki.revision-score"}},
        {"meta": {"stream": "mediawiki.revision-score", "id": "no uuid"}},
        {"scores": {"damaging": a_score(probability={"true": 2})}},
        {"scores": ABSENT, "errors": ABSENT},
    ],
)
def test_what_the_real_one_lets_through_is_let_through(changes: Event) -> None:
    assert reply_to(a_score_event(**changes))[0].status_code == 201


def test_the_same_id_is_taken_as_often_as_it_comes() -> None:
    reply, kept = reply_to(a_score_event("1"), a_score_event("1"))
    assert (reply.status_code, len(kept)) == (201, 2)


def test_the_event_of_a_configured_stream_is_taken() -> None:
    reply, _ = reply_to(a_score_event(), settings=EventGateSettings(streams=STREAMS))
    assert reply.status_code == 201


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"stream": "mediawiki.revision_score"}, "mediawiki.revision_score is not a configured stream."),
        ({"stream": "mediawiki.other"}, "schema title must be mediawiki/other."),
        ({}, "Field(s) meta.stream were missing from event and could not be extracted."),
    ],
)
def test_an_event_that_its_stream_does_not_allow_is_an_error(meta: Any, said: str) -> None:
    reply, kept = reply_to(a_score_event(meta=meta), settings=EventGateSettings(streams=STREAMS))
    assert (reply.status_code, kept) == (500, [])
    assert reply.json()["error"][0]["context"]["message"].endswith(said)
