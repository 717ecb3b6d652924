"""What becomes of a claimed event, for everything that a sink can do with it."""

from collections.abc import Mapping

import pytest

from outbox import Claim, Dead, Delivered, Outcome, Released, RetryLater
from tests.builders import a_claim
from worker.events.outcomes import delivery, read_events
from worker.events.sinks import EventFailed, EventRefused, SinkUnavailable

MOST = 8


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"meta": 1}',
        '{"meta": {}}',
        '{"meta": {"stream": null}}',
        '{"meta": {"stream": ""}}',
    ],
)
def test_a_payload_that_names_no_stream_is_buried_at_once(payload: str) -> None:
    poison = a_claim(payload=payload)

    events, outcomes = read_events([poison], MOST)

    assert events == {}
    assert reason(outcomes, poison) == "undecodable"


def test_an_event_is_sent_as_it_was_promised() -> None:
    claim = a_claim(payload='{"meta": {"stream": "s"},  "odd":  1}')

    events, _ = read_events([claim], MOST)

    assert [(event.stream, event.body) for event in events.values()] == [("s", claim.payload)]


def test_an_event_that_was_claimed_too_often_is_buried() -> None:
    last = a_claim(message=1, attempt=MOST, payload='{"meta": {"stream": "s"}}')
    late = a_claim(message=2, attempt=MOST + 1, payload='{"meta": {"stream": "s"}}')

    events, outcomes = read_events([last, late], MOST)

    assert set(events) == {last}
    assert reason(outcomes, late) == "attempts_exhausted"


def test_an_event_that_was_sent_is_delivered() -> None:
    assert delivery(a_claim(), None, MOST) == Delivered()


def test_an_event_that_a_sink_takes_not_now_goes_back_to_its_place() -> None:
    assert delivery(a_claim(), SinkUnavailable("disk full"), MOST) == Released("disk full")


def test_an_event_that_a_sink_will_never_take_is_buried_with_its_reason() -> None:
    assert delivery(a_claim(), EventRefused("no such field"), MOST) == Dead("refused", "no such field")


def test_an_event_that_failed_is_sent_again_and_burns_an_attempt() -> None:
    outcome = delivery(a_claim(), EventFailed("unknown schema"), MOST)

    assert isinstance(outcome, RetryLater)
    assert outcome.burns_attempt
    assert outcome.error == "unknown schema"


def test_an_event_that_failed_too_often_is_buried() -> None:
    assert delivery(a_claim(attempt=MOST), EventFailed("unknown schema"), MOST) == Dead(
        "attempts_exhausted", "unknown schema"
    )


def reason(outcomes: Mapping[Claim, Outcome], claim: Claim) -> str:
    outcome = outcomes[claim]
    assert isinstance(outcome, Dead)
    return outcome.reason
