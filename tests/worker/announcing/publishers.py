"""Events promised to fake sinks and published, as the tests of publishing need it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from outbox import Edit, record_payloads
from tests.worker.announcing.announcements import NOW
from tests.worker.lines import consumer_of_edits, serve
from worker.bootstrap import Services
from worker.events.kinds import EVENT_LANES, SINKS
from worker.events.publishing import Publisher
from worker.events.sinks import DeliveryFailure, EventSink, OutgoingEvent, SinkUnavailable
from worker.lanes.circuits import Circuit
from worker.lanes.consumer import Consumer


def with_sinks(services: Services, **sinks: EventSink) -> Services:
    """The services with these sinks in place of theirs."""
    settings = services.settings.outbox
    edits = dataclasses.replace(consumer_of_edits(services), event_lanes={name: EVENT_LANES[name] for name in sinks})
    computing = services.turns.computing
    publishers = [
        Publisher(
            lane=EVENT_LANES[name],
            most_at_once=SINKS[name].most_at_once,
            name=name,
            sink=sink,
            settings=settings,
            computing=computing,
            circuit=Circuit(name, first_seconds=0),
        )
        for name, sink in sinks.items()
    ]
    consumers: dict[str, Consumer] = {edits.lane.name: edits, **{each.lane.name: each for each in publishers}}
    return dataclasses.replace(services, sinks=sinks, consumers=consumers)


def promise(services: Services, edits: Sequence[Edit]) -> None:
    """Promise an event of each edit to every sink."""
    announcing, wiki = consumer_of_edits(services).announcing, services.wiki("enwiki")
    domain = wiki.settings.domain
    events = [event.encode() for edit in edits for event in announcing.events_of(edit, [], domain=domain, now=NOW)]
    with wiki.database.transaction() as session:
        for lane in services.event_lanes.values():
            record_payloads(session, lane, events)


def publish(services: Services, *sinks: str) -> None:
    for sink in sinks or services.sinks:
        serve(services, EVENT_LANES[sink])


def is_down(_event: OutgoingEvent) -> DeliveryFailure:
    return SinkUnavailable("the broker is down")


def fate_of(fates: dict[int, DeliveryFailure]) -> Any:
    """A fate by revision; those of which nothing is said are taken."""
    return lambda event: fates.get(event.revision)
