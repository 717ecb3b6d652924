"""The EventGate sink posts events in batches, guaranteed, those of one page one after the other."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import some_settings
from tests.eventgate import EmulatedEventGate
from tests.examples import examples
from tests.worker.raw_server import http, raw_server_beside
from tests.worker.sinks.posting import USER_AGENT, a_score, identity, scores, sent, sent_to_one_that_says
from worker.bootstrap import build_services
from worker.events.eventgate import MOST_BYTES
from worker.events.sinks import SinkUnavailable

ALL_TAKEN = http(201, b"")
GONE = http(503, b"")


def test_events_are_taken_as_they_were_promised(eventgate: EmulatedEventGate) -> None:
    events = scores(3)

    assert sent(eventgate.url, events) == {}
    assert eventgate.events() == [json.loads(event.body) for event in events]


def test_letters_of_every_script_arrive(eventgate: EmulatedEventGate) -> None:
    sent(eventgate.url, [a_score(1, page_title="維基百科_🦉_﷽")])

    assert [event["page_title"] for event in eventgate.events()] == ["維基百科_🦉_﷽"]


def test_one_request_carries_a_batch(eventgate: EmulatedEventGate) -> None:
    sent(eventgate.url, scores(25), batch_size=10)

    assert [post["events"] for post in eventgate.posts()] == [10, 10, 5]


def test_delivery_is_guaranteed_never_hasty(eventgate: EmulatedEventGate) -> None:
    eventgate.set(refuse={"every_nth": 3})
    sent(eventgate.url, scores(25), batch_size=10)

    assert {post["hasty"] for post in eventgate.posts()} == {False}
    assert "202" not in eventgate.summary()["statuses"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_request_is_a_post_of_json_to_v1_events_without_parameters(slash: str) -> None:
    with raw_server_beside(lambda _request: ALL_TAKEN) as server:
        sent(server.url + slash, scores(1))

    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/v1/events")
    assert request.headers["content-type"] == "application/json"


def test_each_request_says_who_asks(eventgate: EmulatedEventGate) -> None:
    sent(eventgate.url, scores(4), batch_size=2)

    assert [post["user_agent"] for post in eventgate.posts()] == [USER_AGENT] * 2


def test_the_operators_contact_is_in_what_the_worker_sends(eventgate: EmulatedEventGate) -> None:
    services = build_services(
        some_settings(endpoint={"contact": "me@example.org"}, sinks={"eventgate": {"url": eventgate.url}})
    )
    services.sinks["eventgate"].send(scores(1))
    services.close()

    (post,) = eventgate.posts()
    assert post["user_agent"].startswith("Outpatrol/")
    assert "(me@example.org)" in post["user_agent"]


def test_nothing_to_send_asks_nobody(eventgate: EmulatedEventGate) -> None:
    assert sent(eventgate.url, []) == {}
    assert eventgate.summary()["requests"] == 0


def test_a_request_is_not_larger_than_an_eventgate_reads(eventgate: EmulatedEventGate) -> None:
    third = MOST_BYTES // 3
    assert sent(eventgate.url, [a_score(number, padding=third) for number in range(5)]) == {}

    assert [post["events"] for post in eventgate.posts()] == [2, 2, 1]


def test_an_event_that_is_larger_alone_goes_alone(eventgate: EmulatedEventGate) -> None:
    events = [a_score(1), a_score(2, padding=MOST_BYTES), a_score(3)]
    assert sent(eventgate.url, events) == {}

    assert [post["events"] for post in eventgate.posts()] == [1, 1, 1]


def test_events_of_one_page_are_never_in_one_request() -> None:
    events = [a_score(number, page=page) for number, page in enumerate([1, 2, 1, 3, 1, 2])]

    _, requests = sent_to_one_that_says(ALL_TAKEN, events=events)

    assert requests == [[0, 1, 3], [2, 5], [4]]


def test_later_events_are_not_sent_after_one_was_not_taken() -> None:
    events = [a_score(number, page=page) for number, page in enumerate([1, 2, 1, 3, 1, 2])]

    failures, requests = sent_to_one_that_says(ALL_TAKEN, GONE, ALL_TAKEN, events=events)

    assert requests == [[0, 1, 3], [2, 5]]
    assert {place: type(failure) for place, failure in failures.items()} == dict.fromkeys((2, 4, 5), SinkUnavailable)


def test_batches_of_other_pages_wait_too_while_nothing_is_taken() -> None:
    failures, requests = sent_to_one_that_says(ALL_TAKEN, GONE, ALL_TAKEN, events=scores(6), batch_size=2)

    assert requests == [[0, 1], [2, 3]]
    assert sorted(failures) == [2, 3, 4, 5]


def test_later_events_of_a_page_are_sent_after_one_that_is_refused(eventgate: EmulatedEventGate) -> None:
    failures = sent(eventgate.url, [a_score(1, page=7, rev_id="x"), a_score(2, page=7)])

    assert list(failures) == [0]
    assert eventgate.ids() == {identity(2): 1}


@given(pages=st.lists(st.integers(1, 4), max_size=20), batch_size=st.integers(1, 5), fails_at=st.integers(1, 8))
@settings(max_examples=examples(30), deadline=None)
def test_what_arrives_of_a_page_is_always_the_beginning_of_it(pages: list[int], batch_size: int, fails_at: int) -> None:
    events = [a_score(number, page=page) for number, page in enumerate(pages)]
    replies = [*[ALL_TAKEN] * (fails_at - 1), GONE, ALL_TAKEN]

    failures, requests = sent_to_one_that_says(*replies, events=events, batch_size=batch_size)

    arrived = [number for request in requests[: fails_at - 1] for number in request]
    assert sorted([*arrived, *failures]) == list(range(len(pages)))
    for page in set(pages):
        of_page = [number for number, each in enumerate(pages) if each == page]
        assert [number for number in arrived if pages[number] == page] == [n for n in of_page if n not in failures]
        assert [number in failures for number in of_page] == sorted(number in failures for number in of_page)
