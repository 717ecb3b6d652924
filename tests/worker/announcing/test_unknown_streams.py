"""A sink that does not know a stream, from the first or all of a sudden, costs no event an attempt; a bad one pays."""

from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from tests.clock import Clock
from worker.events.sinks import DeliveryFailure, EventFailed, OutgoingEvent, SinkUnavailable
from worker.events.unknown_streams import COUNTS_SECONDS, MOST, UnknownStreams

FAILED = EventFailed("Failed loading schema at /mediawiki/revision/score/3.0.0")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def streams(clock: Clock) -> UnknownStreams:
    return UnknownStreams("eventgate", clock)


def events(*ids: str, stream: str = "scores") -> list[OutgoingEvent]:
    return [OutgoingEvent(stream=stream, id=each, body="{}", wiki="enwiki", page=1, revision=1) for each in ids]


def all_fail(sent: list[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
    return dict.fromkeys(range(len(sent)), FAILED)


def innocent(streams: UnknownStreams, *ids: str, failing: str) -> set[str]:
    """Of the events of these ids, sent together: those that failed, whose ids are in *failing*, through no fault."""
    sent = events(*ids)
    places = streams.learn(sent, {place: FAILED for place, each in enumerate(ids) if each in failing.split()})
    return {sent[place].id for place in places}


def test_a_stream_that_was_never_known_costs_no_event_an_attempt(streams: UnknownStreams) -> None:
    for _ in range(10):
        assert innocent(streams, "a", "b", failing="a b") == {"a", "b"}


def test_a_stream_that_was_known_a_moment_ago_costs_no_event_an_attempt(streams: UnknownStreams, clock: Clock) -> None:
    streams.learn(events("earlier"), {})
    for _ in range(20):
        clock.now += COUNTS_SECONDS / 15
        assert innocent(streams, "a", "b", failing="a b") == {"a", "b"}


def test_an_event_that_fails_beside_others_is_at_fault_from_then_on(streams: UnknownStreams) -> None:
    assert innocent(streams, "bad", "good", failing="bad") == set()
    assert innocent(streams, "bad", failing="bad") == set()


def test_an_event_is_at_fault_if_others_passed_it(streams: UnknownStreams) -> None:
    assert innocent(streams, "bad", "worse", failing="bad worse") == {"bad", "worse"}
    streams.learn(events("good"), {})
    assert innocent(streams, "bad", "worse", "new", failing="bad worse new") == {"new"}


def test_an_event_that_others_passed_is_not_at_fault_once_the_stream_is_out(
    streams: UnknownStreams, clock: Clock
) -> None:
    innocent(streams, "bad", "good", failing="bad")
    clock.now += COUNTS_SECONDS
    assert innocent(streams, "bad", failing="bad") == {"bad"}


def test_another_stream_says_nothing(streams: UnknownStreams) -> None:
    innocent(streams, "a", failing="a")
    streams.learn(events("b", stream="others"), {})
    assert innocent(streams, "a", failing="a") == {"a"}


def test_a_sink_that_takes_nothing_says_nothing_of_streams(streams: UnknownStreams) -> None:
    assert streams.learn(events("a"), {0: SinkUnavailable("down")}) == set()


def test_it_is_told_once_a_minute_and_only_of_several_events(streams: UnknownStreams, clock: Clock) -> None:
    with capture_logs() as logs:
        innocent(streams, "a", failing="a")
        assert logs == []
        for _ in range(59):
            innocent(streams, "a", "b", failing="a b")
            clock.now += 1
    assert [(line["event"], line["stream"], line["error"]) for line in logs] == [
        ("stream_unavailable", "scores", FAILED.reason)
    ]


def test_what_is_remembered_is_bounded(streams: UnknownStreams) -> None:
    first = events("first")
    streams.learn(first, all_fail(first))
    many = events(*map(str, range(MOST)))
    streams.learn(many, all_fail(many))
    streams.learn(events("good"), {})
    assert streams.learn(first, all_fail(first)) == {0}
    last = many[-1:]
    assert streams.learn(last, all_fail(last)) == set()
