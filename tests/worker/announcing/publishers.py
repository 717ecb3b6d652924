"""Events promised to fake sinks and published, as the tests of publishing need it."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from outbox import Edit, record_payloads
from tests.worker.announcing.announcements import NOW
from tests.worker.announcing.fake_sinks import FakeSink
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.events.kinds import EVENT_LANES
from worker.events.publishing import publish_events
from worker.events.sinks import Mishap, OutgoingEvent, Untaken


def with_sinks(services: Services, **sinks: FakeSink) -> Wiki:
    return dataclasses.replace(services.wiki("enwiki"), sinks=sinks)


def promise(wiki: Wiki, edits: Sequence[Edit]) -> None:
    """Promise an event of each edit to every sink."""
    events = [event.encode() for edit in edits for event in wiki.announcing.events_of(edit, [], now=NOW)]
    with wiki.database.transaction() as session:
        for sink in wiki.sinks:
            record_payloads(session, EVENT_LANES[sink], events)


def publish(services: Services, wiki: Wiki, *sinks: str) -> None:
    for sink in sinks or wiki.sinks:
        services.runner.run(publish_events(wiki, sink, until=math.inf))


def is_down(_event: OutgoingEvent) -> Mishap:
    return Untaken("the broker is down")


def fate_of(fates: dict[int, Mishap]) -> Any:
    """A fate by revision; those of which nothing is said are taken."""
    return lambda event: fates.get(event.revision)
