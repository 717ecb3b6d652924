"""Rounds: requests in which no page comes twice, as few as can be, each page in its order."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import an_event
from tests.examples import examples
from worker.events.sinks import OutgoingEvent, rounds

EVENTS = st.lists(
    st.builds(
        an_event,
        stream=st.sampled_from(["s", "t"]),
        wiki=st.sampled_from(["enwiki", "frwiki"]),
        page=st.none() | st.integers(1, 3),
        title=st.sampled_from(["A", "B"]),
    ),
    max_size=40,
)


def key(event: OutgoingEvent) -> tuple[str, str, int | str]:
    return event.stream, event.wiki, event.title if event.page is None else event.page


@given(EVENTS)
@settings(max_examples=examples(100))
def test_every_event_is_in_one_round(events: list[OutgoingEvent]) -> None:
    assert sorted(place for group in rounds(events) for place in group) == list(range(len(events)))


@given(EVENTS)
@settings(max_examples=examples(100))
def test_no_round_has_two_events_of_a_page_and_stream(events: list[OutgoingEvent]) -> None:
    for group in rounds(events):
        assert len({key(events[place]) for place in group}) == len(group)


@given(EVENTS)
@settings(max_examples=examples(100))
def test_the_events_of_a_page_keep_their_order_from_round_to_round(events: list[OutgoingEvent]) -> None:
    sent = [place for group in rounds(events) for place in group]
    for page in {key(event) for event in events}:
        places = [place for place in sent if key(events[place]) == page]
        assert places == sorted(places)


@given(EVENTS)
@settings(max_examples=examples(100))
def test_there_are_no_more_rounds_than_the_busiest_page_has_events(events: list[OutgoingEvent]) -> None:
    busiest = max(Counter(key(event) for event in events).values(), default=0)
    assert len(rounds(events)) == busiest


def test_events_of_different_pages_go_together() -> None:
    assert rounds([an_event(page=page) for page in (1, 2, 3)]) == [[0, 1, 2]]


def test_pages_whose_ids_nobody_told_go_together_by_their_titles() -> None:
    assert rounds([an_event(page=None, title=title) for title in "ABA"]) == [[0, 1], [2]]


def test_a_page_that_comes_again_waits_for_the_next_round() -> None:
    assert rounds([an_event(page=page) for page in (1, 2, 1, 1, 2)]) == [[0, 1], [2, 4], [3]]
