"""Events that an EventGate takes, and sinks that send them to it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.builders import an_event
from tests.emulators.eventgate.asking import a_score_event
from tests.patience import PATIENCE_SECONDS
from tests.worker.raw_server import RawReply, RawServer, Request, raw_server_beside
from worker.events.eventgate import EventGateSink
from worker.events.sinks import DeliveryFailure, OutgoingEvent
from worker.lanes.loops import HttpLoop

USER_AGENT = "Outpatrol/0 (someone@example.org)"


def identity(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012}"


def a_score(number: int, *, page: int | None = None, padding: int = 0, **changes: object) -> OutgoingEvent:
    """An event that is right by its schema unless *changes* are not; of a page of its own if none is named."""
    changes |= {"page_title": "T" * padding} if padding else {}
    body = json.dumps(a_score_event(identity(number), **changes))
    return an_event(
        stream="mediawiki.revision-score", id=identity(number), body=body, page=page or 1000 + number, revision=number
    )


def scores(count: int) -> list[OutgoingEvent]:
    """Events of a page each."""
    return [a_score(number) for number in range(count)]


@contextmanager
def a_sink(url: str, *, timeout_seconds: float = PATIENCE_SECONDS, batch_size: int = 100) -> Iterator[EventGateSink]:
    loop = HttpLoop()
    sink = EventGateSink(url, timeout_seconds=timeout_seconds, batch_size=batch_size, user_agent=USER_AGENT, loop=loop)
    yield sink
    sink.close()
    loop.close()


def sent(
    url: str, events: Sequence[OutgoingEvent], *, timeout_seconds: float = PATIENCE_SECONDS, batch_size: int = 100
) -> dict[int, DeliveryFailure]:
    """What a fresh sink says of *events*."""
    with a_sink(url, timeout_seconds=timeout_seconds, batch_size=batch_size) as sink:
        return dict(sink.send(events))


def sent_to_one_that_says(
    *replies: RawReply, events: Sequence[OutgoingEvent], batch_size: int = 100
) -> tuple[dict[int, DeliveryFailure], list[list[int]]]:
    """What a sink says of *events*, and the numbers in each request, if *replies* come, the last one over and over."""
    left = list(replies)

    def reply(_request: Request) -> RawReply:
        return left.pop(0) if len(left) > 1 else left[0]

    with raw_server_beside(reply) as server:
        return sent(server.url, events, batch_size=batch_size), posted(server)


def posted(server: RawServer) -> list[list[int]]:
    """The last digits of the ids of the events in each request, which is how `a_score` numbers them."""
    return [[int(event["meta"]["id"][-12:]) for event in json.loads(request.body)] for request in server.requests]
