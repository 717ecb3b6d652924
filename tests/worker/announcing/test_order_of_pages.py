"""Events as a publisher reads them out of a batch, and the order in which it sends those of one page."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outbox import Claim, Dead
from tests.builders import a_claim, a_score, an_edit, an_event
from tests.examples import examples
from tests.worker.announcing.announcements import announced
from worker.events.outcomes import in_page_order, read_events
from worker.events.sinks import OutgoingEvent

MOST = 8
PAGES = st.tuples(
    st.sampled_from(["s", "t"]), st.sampled_from(["enwiki", "frwiki"]), st.integers(1, 3) | st.sampled_from("AB")
)
BATCHES = st.lists(st.tuples(PAGES, st.integers(1, 9)), max_size=30)
Page = tuple[str, str, int | str]
Batch = Sequence[tuple[Page, int]]


def claimed(batch: Batch) -> dict[Claim, OutgoingEvent]:
    return {
        a_claim(message=place): an_event(
            stream=stream,
            wiki=wiki,
            page=page if isinstance(page, int) else None,
            title=str(page),
            revision=revision,
            id=str(place),
        )
        for place, ((stream, wiki, page), revision) in enumerate(batch)
    }


def page_of(event: OutgoingEvent) -> Page:
    return event.stream, event.wiki, event.title if event.page is None else event.page


def revisions_by_page(events: Sequence[OutgoingEvent]) -> dict[Page, list[int]]:
    found = defaultdict(list)
    for event in events:
        found[page_of(event)].append(event.revision)
    return found


@settings(max_examples=examples(300))
@given(BATCHES)
def test_events_of_one_page_are_sent_by_revision(batch: Batch) -> None:
    events = claimed(batch)

    sent = revisions_by_page([events[claim] for claim in in_page_order(events)])

    assert sent == {page: sorted(revisions) for page, revisions in revisions_by_page([*events.values()]).items()}


@settings(max_examples=examples(300))
@given(BATCHES)
def test_every_event_is_sent_once_and_every_page_keeps_its_places(batch: Batch) -> None:
    events = claimed(batch)

    ordered = in_page_order(events)

    assert sorted(claim.message for claim in ordered) == list(range(len(batch)))
    assert [page_of(events[claim]) for claim in ordered] == [page_of(event) for event in events.values()]


@settings(max_examples=examples(100))
@given(BATCHES)
def test_events_of_one_revision_are_sent_in_the_order_of_their_promises(batch: Batch) -> None:
    events = claimed([(page, 7) for page, _ in batch])

    assert in_page_order(events) == list(events)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["score event", "prediction 1.1.0", "prediction 1.3.0"])
def test_an_event_of_either_format_tells_which_page_and_revision_it_is_of(place: int) -> None:
    version = "1.3.0" if place == 2 else "1.1.0"
    edit = an_edit(wiki="frwiki", revision=7, page=2**32 - 1)
    both = announced(edit, [a_score()], prediction_streams={"damaging": "p"}, prediction_schema=version)
    event = both[min(place, 1)]
    claim = a_claim(payload=json.dumps(event))

    events, _ = read_events([claim], MOST)

    assert events[claim] == OutgoingEvent(
        stream=event["meta"]["stream"],
        id=event["meta"]["id"],
        body=claim.payload,
        wiki="frwiki",
        page=2**32 - 1,
        revision=7,
        title="Page_7",
    )


def test_an_event_without_a_page_id_is_of_the_page_of_its_title() -> None:
    (event,) = announced(an_edit(page=None, title="Talk:A b", namespace=1), [a_score()])
    claim = a_claim(payload=json.dumps(event))

    events, _ = read_events([claim], MOST)

    assert (events[claim].page, events[claim].title) == (None, "Talk:A_b")


@pytest.mark.parametrize("field", ["page_id", "rev_id"])
@pytest.mark.parametrize("number", ["-1", "4294967296", "1e999", '"x"', "[1]", "NaN"])
def test_an_event_of_a_page_or_revision_that_no_wiki_has_is_buried_at_once(field: str, number: str) -> None:
    claim = a_claim(payload=f'{{"meta": {{"stream": "s"}}, "{field}": {number}}}')

    events, outcomes = read_events([claim], MOST)

    outcome: Any = outcomes[claim]
    assert events == {}
    assert isinstance(outcome, Dead)
    assert outcome.reason == "undecodable"
