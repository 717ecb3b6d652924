"""What becomes of a claimed event, once the sink has said what it did with it. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic_core import from_json

from outbox import Claim, Dead, Delivered, Outcome, Released, RetryLater
from outbox.backoff import backoff
from outbox.details import MOST
from worker.events.sinks import DeliveryFailure, EventFailed, EventRefused, OutgoingEvent, SinkUnavailable
from worker.lanes.consumer import claimed_too_often

#: The wait for a stream that the sink does not know yet: somebody may be about to declare it.
LONGEST_WAIT = timedelta(seconds=10)


def read_events(claims: Sequence[Claim], max_attempts: int) -> tuple[dict[Claim, OutgoingEvent], dict[Claim, Outcome]]:
    """Read the events of *claims*; one that names no stream becomes a dead letter at once."""
    events: dict[Claim, OutgoingEvent] = {}
    outcomes: dict[Claim, Outcome] = {}
    for claim in claims:
        if claim.attempt > max_attempts:
            outcomes[claim] = claimed_too_often(claim)
            continue
        try:
            events[claim] = _event(claim.payload)
        except (ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError) as error:
            outcomes[claim] = Dead("undecodable", f"the payload is no event: {type(error).__name__}: {error}")
    return events, outcomes


def in_page_order(events: Mapping[Claim, OutgoingEvent]) -> list[Claim]:
    """The claims of *events* in their order, except that those of one page and stream are sorted by revision."""
    places: dict[tuple[str, str, int | str], list[Claim]] = defaultdict(list)
    for claim, event in events.items():
        places[event.line].append(claim)
    by_revision = {
        key: iter(sorted(claims, key=lambda claim: events[claim].revision)) for key, claims in places.items()
    }
    return [next(by_revision[event.line]) for event in events.values()]


def _event(payload: str) -> OutgoingEvent:
    """Raises ValueError, LookupError or the like if *payload* names no stream."""
    event = from_json(payload)
    meta, page, revision = event["meta"], event.get("page") or {}, event.get("revision") or {}
    if not (isinstance(meta["stream"], str) and meta["stream"]):
        raise ValueError("it names no stream")
    return OutgoingEvent(
        stream=meta["stream"],
        id=str(meta.get("id", "")),
        body=payload,
        wiki=str(event.get("database") or event.get("wiki_id") or ""),
        page=_number(event.get("page_id") or page.get("page_id") or 0) or None,
        title=str(event.get("page_title") or page.get("page_title") or ""),
        revision=_number(event.get("rev_id") or revision.get("rev_id") or 0),
    )


def _number(value: Any) -> int:
    """An id of a page or a revision; raises ValueError, OverflowError or TypeError for what no column holds."""
    number = int(value)
    if not 0 <= number <= MOST:
        raise ValueError("no wiki has a page or a revision of that number")
    return number


def streams_out(events: Sequence[OutgoingEvent], failures: Mapping[int, DeliveryFailure]) -> dict[str, str]:
    """The streams of which the sink failed every event that it was sent, each with a reason.

    Then the sink does not know the stream or its schema, and the events are not at fault.
    """
    failed: dict[str, str] = {}
    for place, event in enumerate(events):
        failure = failures.get(place)
        if isinstance(failure, EventFailed):
            failed.setdefault(event.stream, failure.reason)
    delivered = {event.stream for place, event in enumerate(events) if place not in failures}
    return {stream: reason for stream, reason in failed.items() if stream not in delivered}


def delivery(
    claim: Claim, failure: DeliveryFailure | None, max_attempts: int, *, is_stream_out: bool = False
) -> Outcome:
    """Decide what becomes of an event; *failure* says why the sink did not take it, if so.

    If the sink takes nothing at all, or nothing of the event's stream (*is_stream_out*), no event is at fault, and no
    attempt counts.
    """
    if failure is None:
        return Delivered()
    if isinstance(failure, SinkUnavailable):
        return Released(failure.reason)
    if isinstance(failure, EventRefused):
        return Dead("refused", failure.reason)
    if is_stream_out:
        return RetryLater(min(backoff(claim.attempt), LONGEST_WAIT), failure.reason, burns_attempt=False)
    if claim.attempt >= max_attempts:
        return Dead("attempts_exhausted", failure.reason)
    return RetryLater(backoff(claim.attempt), failure.reason)
