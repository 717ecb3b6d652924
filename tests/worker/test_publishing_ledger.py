"""The ledger has exactly what was taken, whatever becomes of the publisher; a repeated event has the id it had."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from outbox.database import Database
from tests.builders import edits
from tests.worker.announcing.fake_sinks import FakeSink
from tests.worker.announcing.publishers import fate_of, promise, publish, with_sinks
from tests.worker.lines import claim_all, let_leases_run_out, status
from worker.bootstrap import Services
from worker.events.kinds import EVENT_LANES
from worker.events.sinks import DeliveryFailure, EventFailed, EventRefused, OutgoingEvent, SinkUnavailable
from worker.events.tables import event_ledger

KAFKA = EVENT_LANES["kafka"]


class PowerCut(Exception):
    """The process has gone."""


def ledger(database: Database) -> list[tuple[str, int]]:
    """Sink and revision of each line, in the order of writing."""
    line = event_ledger.c
    with database.reading() as connection:
        return [
            (sink, revision)
            for sink, revision in connection.execute(select(line.sink, line.revision).order_by(line.id))
        ]


@contextmanager
def dying_before(database: Database, *words: str) -> Iterator[None]:
    """Let the process die just before a statement that has all these *words*."""

    is_dead = False

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal is_dead
        is_dead = is_dead or all(word in statement for word in words)
        if is_dead:
            raise PowerCut

    event.listen(database.engine, "before_cursor_execute", die)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", die)


def test_the_ledger_has_a_line_for_exactly_what_was_taken(services: Services, database: Database) -> None:
    fates: dict[int, DeliveryFailure] = {2: EventRefused("no"), 3: EventFailed("not now"), 4: SinkUnavailable("full")}
    strict, lenient = FakeSink(fate_of(fates)), FakeSink()
    here = with_sinks(services, eventgate=strict, file=lenient)
    promise(here, edits(5))

    publish(here)

    of_all = [("file", revision) for revision in (1, 2, 3, 4, 5)]
    assert ledger(database) == [("eventgate", 1), ("eventgate", 5), *of_all]


def test_a_line_of_the_ledger_tells_stream_and_id_of_the_event(services: Services, database: Database) -> None:
    sink = FakeSink()
    here = with_sinks(services, kafka=sink)
    promise(here, edits(1))

    publish(here)

    with database.reading() as connection:
        (line,) = connection.execute(select(event_ledger.c.stream, event_ledger.c.event_id)).all()
    assert (line.stream, bytes(line.event_id).hex()) == ("mediawiki.revision-score", sink.taken[0].id.replace("-", ""))


@pytest.mark.parametrize("words", [("DELETE",), ("INSERT", "event_ledger")], ids=["removal", "ledger"])
def test_a_publisher_that_dies_after_sending_leaves_all_to_the_next_under_the_same_ids(
    services: Services, database: Database, words: tuple[str, ...]
) -> None:
    sink = FakeSink()
    here = with_sinks(services, kafka=sink)
    promise(here, edits(1))
    with dying_before(services.wiki("enwiki").database, *words), pytest.raises(PowerCut):
        publish(here)
    assert (status(database, KAFKA).claimed, ledger(database)) == (1, [])

    # What a process remembers to give back dies with it.
    here.turns.unreturned.take("enwiki", KAFKA.name)
    let_leases_run_out(database, KAFKA)
    publish(here)

    first, second = sink.taken
    assert first == second
    assert (status(database, KAFKA).pending, ledger(database)) == (0, [("kafka", 1)])


def test_a_publisher_whose_lease_is_lost_meanwhile_writes_nothing_into_the_ledger(
    services: Services, database: Database
) -> None:
    def lose_it(_event: OutgoingEvent) -> None:
        let_leases_run_out(database, KAFKA)
        claim_all(database, KAFKA)

    here = with_sinks(services, kafka=FakeSink(lose_it))
    promise(here, edits(1))

    publish(here)

    assert ledger(database) == []
    assert status(database, KAFKA).claimed == 1
