"""What an EventGate says of each event decides about that event, and about no other."""

import json
from dataclasses import replace

import pytest

from tests.emulators.eventgate.asking import ABSENT
from tests.eventgate import EmulatedEventGate
from tests.worker.raw_server import http
from tests.worker.sinks.posting import a_score, identity, scores, sent, sent_to_one_that_says
from worker.domain.storable import LONGEST_MESSAGE
from worker.events.sinks import DeliveryFailure, EventFailed, EventRefused, SinkUnavailable

GOOD, OTHER_GOOD = a_score(1), a_score(2)
INVALID = a_score(3, rev_id="x")
UNKNOWN_SCHEMA = replace(
    a_score(4), body=a_score(4).body.replace("/mediawiki/revision/score/3.0.0", "/of/nobody/1.0.0")
)


def an_entry(number: int, message: str) -> dict[str, object]:
    return {"status": "error", "event": {"meta": {"id": identity(number)}}, "context": {"message": message}}


def kinds(failures: dict[int, DeliveryFailure]) -> dict[int, type[DeliveryFailure]]:
    return {place: type(failure) for place, failure in failures.items()}


@pytest.mark.parametrize("status", [200, 201])
def test_all_are_delivered_if_all_were_accepted(status: int) -> None:
    assert sent_to_one_that_says(http(status, b""), events=scores(3)) == ({}, [[0, 1, 2]])


def test_an_invalid_event_is_refused_with_eventgates_reason(eventgate: EmulatedEventGate) -> None:
    (failure,) = sent(eventgate.url, [INVALID]).values()

    assert failure == EventRefused("'.rev_id' should be integer")
    assert eventgate.summary()["statuses"] == {"400": 1}


def test_neighbours_of_a_refused_event_are_delivered(eventgate: EmulatedEventGate) -> None:
    failures = sent(eventgate.url, [GOOD, INVALID, OTHER_GOOD])

    assert failures == {1: EventRefused("'.rev_id' should be integer")}
    assert eventgate.ids() == {GOOD.id: 1, OTHER_GOOD.id: 1}
    assert eventgate.summary()["statuses"] == {"207": 1}


def test_each_invalid_event_of_many_has_its_own_reason(eventgate: EmulatedEventGate) -> None:
    failures = sent(eventgate.url, [INVALID, a_score(5, page_id="y"), a_score(6, dt=ABSENT)])

    assert {place: failure.reason.split()[0] for place, failure in failures.items()} == {
        0: "'.rev_id'",
        1: "'.page_id'",
        2: "''",
    }
    assert set(kinds(failures).values()) == {EventRefused}


def test_an_unknown_schema_is_the_events_failure_not_an_outage(eventgate: EmulatedEventGate) -> None:
    failures = sent(eventgate.url, [UNKNOWN_SCHEMA])

    assert failures == {0: EventFailed("Failed loading schema at /of/nobody/1.0.0")}
    assert eventgate.summary()["statuses"] == {"500": 1}


def test_neighbours_of_an_unknown_schema_are_delivered(eventgate: EmulatedEventGate) -> None:
    assert kinds(sent(eventgate.url, [GOOD, UNKNOWN_SCHEMA, OTHER_GOOD])) == {1: EventFailed}
    assert eventgate.ids() == {GOOD.id: 1, OTHER_GOOD.id: 1}


def test_a_stream_that_is_not_configured_is_the_events_failure(eventgate: EmulatedEventGate) -> None:
    eventgate.set(streams={"other": "mediawiki/revision/score"})

    (failure,) = sent(eventgate.url, [GOOD]).values()

    said = "event is not allowed in stream; mediawiki.revision-score is not a configured stream."
    assert failure == EventFailed(said)


def test_one_request_may_come_to_every_verdict_there_is(eventgate: EmulatedEventGate) -> None:
    failures = sent(eventgate.url, [GOOD, INVALID, UNKNOWN_SCHEMA, OTHER_GOOD])

    assert kinds(failures) == {1: EventRefused, 2: EventFailed}
    assert eventgate.ids() == {GOOD.id: 1, OTHER_GOOD.id: 1}


def test_a_request_none_of_which_was_taken_is_told_by_event(eventgate: EmulatedEventGate) -> None:
    assert kinds(sent(eventgate.url, [INVALID, UNKNOWN_SCHEMA])) == {0: EventRefused, 1: EventFailed}
    assert eventgate.summary()["statuses"] == {"500": 1}


def test_an_error_that_is_not_the_events_leaves_it_undelivered(eventgate: EmulatedEventGate) -> None:
    eventgate.set(error_rate=1)

    (failure,) = sent(eventgate.url, [GOOD]).values()

    said = "This error was asked for in the settings of the emulator."
    assert failure == SinkUnavailable(f"{eventgate.events_url}: {said}")


def test_neighbours_of_an_event_in_error_are_delivered() -> None:
    body = json.dumps({"invalid": [], "error": [an_entry(1, "Broker transport failure")]}).encode()

    failures, _ = sent_to_one_that_says(http(207, body), events=scores(3))

    assert kinds(failures) == {1: SinkUnavailable}


def test_one_refused_in_ten_costs_no_other(eventgate: EmulatedEventGate) -> None:
    eventgate.set(refuse={"rate": 0.1})
    events = scores(200)

    failures = sent(eventgate.url, events)

    assert set(kinds(failures).values()) == {EventRefused}
    assert eventgate.ids() == {event.id: 1 for place, event in enumerate(events) if place not in failures}
    assert eventgate.summary()["requests"] == 2


def test_an_event_that_is_twice_in_a_request_is_refused_twice(eventgate: EmulatedEventGate) -> None:
    assert kinds(sent(eventgate.url, [INVALID, GOOD, a_score(3, page=9, rev_id="x")])) == {
        0: EventRefused,
        2: EventRefused,
    }


def test_a_very_long_reason_is_cut() -> None:
    entry = {"event": {"meta": {"id": identity(0)}}, "context": {"errorsText": "x" * 100_000}}
    (failure,) = sent_to_one_that_says(http(400, json.dumps({"invalid": [entry]}).encode()), events=scores(1))[
        0
    ].values()

    assert failure == EventRefused("x" * LONGEST_MESSAGE)


@pytest.mark.parametrize("event", [None, "text", [], {}, {"meta": None}, {"meta": {}}, {"meta": {"id": "of another"}}])
def test_none_is_delivered_while_an_entry_can_not_be_matched(event: object) -> None:
    entry = {"status": "invalid", "event": event, "context": {"errorsText": "wrong"}}

    failures, _ = sent_to_one_that_says(http(207, json.dumps({"invalid": [entry]}).encode()), events=scores(3))

    assert kinds(failures) == dict.fromkeys(range(3), EventFailed)


def test_what_an_answer_says_nothing_of_was_not_delivered_if_none_was() -> None:
    body = json.dumps({"invalid": [], "error": [an_entry(1, "Failed loading schema at x")]}).encode()

    failures, _ = sent_to_one_that_says(http(500, body), events=scores(3))

    assert failures[0] == EventFailed("it was not accepted, and the reply does not say why")
    assert kinds(failures) == dict.fromkeys(range(3), EventFailed)
