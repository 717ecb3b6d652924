"""Publishing: each sink at its own pace, in order, and every event to its end."""

from sqlalchemy import select
from structlog.testing import capture_logs

from outbox import claim_in_order
from outbox.database import Database
from outbox.dead_letters import list_dead_letters
from tests.builders import an_edit, edits
from tests.worker.announcing.fake_sinks import FakeSink, takes_all
from tests.worker.announcing.publishers import fate_of, is_down, promise, publish, with_sinks
from tests.worker.conftest import BuildServices
from tests.worker.lines import FOREVER, drain, make_due, save, statements, status
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.events.kinds import EVENT_LANES, SINKS
from worker.events.sinks import EventFailed, EventRefused, SinkUnavailable


def attempts(database: Database, sink: str) -> list[int]:
    messages = EVENT_LANES[sink].messages
    with database.reading() as connection:
        return list(connection.execute(select(messages.c.attempt).order_by(messages.c.id)).scalars())


def test_every_sink_is_promised_every_event(services: Services, database: Database) -> None:
    file, kafka = FakeSink(), FakeSink()
    here = with_sinks(services, file=file, kafka=kafka)
    save(database, edits(5))

    drain(here)
    publish(here)

    assert sorted(file.revisions) == [1, 2, 3, 4, 5]
    assert kafka.taken == file.taken


def test_a_dead_sink_holds_up_no_other(services: Services, database: Database) -> None:
    dead, alive = FakeSink(is_down), FakeSink()
    here = with_sinks(services, kafka=dead, eventgate=alive)
    promise(here, edits(5))

    publish(here)

    assert alive.revisions == [1, 2, 3, 4, 5]
    assert status(database, EVENT_LANES["eventgate"]).pending == 0
    assert status(database, EVENT_LANES["kafka"]).ready == 5


def test_what_a_dead_sink_was_promised_is_sent_in_order_once_it_lives(services: Services, database: Database) -> None:
    sink = FakeSink(is_down)
    here = with_sinks(services, kafka=sink)
    promise(here, edits(3))
    publish(here)
    promise(here, edits(3, first=4))
    publish(here)

    sink.fate = takes_all
    publish(here)

    assert sink.revisions == [1, 2, 3, 4, 5, 6]


def test_a_dead_sink_is_asked_once_and_costs_no_attempt(services_for: BuildServices, database: Database) -> None:
    services, sink = services_for(outbox={"batch_size": 2}), FakeSink(is_down)
    here = with_sinks(services, kafka=sink)
    promise(here, edits(6))

    with capture_logs() as logs:
        publish(here)

    assert sink.requests == 1
    assert attempts(database, "kafka") == [0] * 6
    assert [line["error"] for line in logs if line["event"] == "sink_unavailable"] == ["the broker is down"]


def test_a_sink_whose_requests_are_waited_for_gets_fewer_events_at_once_than_a_file(
    services: Services, database: Database
) -> None:
    eventgate, file = FakeSink(), FakeSink()
    here = with_sinks(services, eventgate=eventgate, file=file)
    promise(here, edits(SINKS["eventgate"].most_at_once + 1))

    publish(here)

    assert (eventgate.requests, file.requests) == (2, 1)
    assert status(database, EVENT_LANES["eventgate"]).pending == 0


def test_what_a_sink_takes_before_it_dies_is_not_sent_again(services: Services, database: Database) -> None:
    sink = FakeSink(lambda event: is_down(event) if event.revision > 2 else None)
    here = with_sinks(services, kafka=sink)
    promise(here, edits(4))
    publish(here)

    sink.fate = takes_all
    publish(here)

    assert sink.revisions == [1, 2, 3, 4]


def test_a_refused_event_is_a_dead_letter_with_the_sinks_reason_and_blocks_nobody(
    services: Services, database: Database
) -> None:
    strict, lenient = FakeSink(fate_of({2: EventRefused("'.page_id' should be >= 1")})), FakeSink()
    here = with_sinks(services, eventgate=strict, file=lenient)
    promise(here, edits(3))

    publish(here)

    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EVENT_LANES["eventgate"])
    assert (letter.reason, letter.error, letter.attempt) == ("refused", "'.page_id' should be >= 1", 1)
    assert '"rev_id":2' in letter.payload
    assert (strict.revisions, lenient.revisions) == ([1, 3], [1, 2, 3])


def test_an_event_that_failed_is_sent_again_later(services: Services, database: Database) -> None:
    sink = FakeSink(fate_of({2: EventFailed("unknown schema")}))
    here = with_sinks(services, eventgate=sink)
    promise(here, edits(3))
    publish(here)
    assert status(database, EVENT_LANES["eventgate"]).waiting == 1

    sink.fate = takes_all
    make_due(database, EVENT_LANES["eventgate"])
    publish(here)

    assert sink.revisions == [1, 3, 2]


def test_an_event_that_fails_every_time_is_buried_after_its_last_attempt(
    services_for: BuildServices, database: Database
) -> None:
    services = services_for(outbox={"max_attempts": 3})
    sink = FakeSink(lambda event: EventFailed("unknown schema") if event.revision == 1 else None)
    here = with_sinks(services, eventgate=sink)
    promise(here, edits(2))

    for _ in range(5):
        publish(here)
        make_due(database, EVENT_LANES["eventgate"])

    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EVENT_LANES["eventgate"])
    assert (letter.reason, letter.error, sink.requests) == ("attempts_exhausted", "unknown schema", 3)


def test_an_event_of_a_stream_that_the_sink_does_not_know_waits_and_burns_no_attempt(
    services_for: BuildServices, database: Database
) -> None:
    services = services_for(outbox={"max_attempts": 3})
    is_known = False
    sink = FakeSink(lambda _: None if is_known else EventFailed("unknown stream"))
    here = with_sinks(services, eventgate=sink)
    promise(here, edits(1))
    for _ in range(5):
        publish(here)
        make_due(database, EVENT_LANES["eventgate"])

    is_known = True
    publish(here)

    lane = status(database, EVENT_LANES["eventgate"])
    assert (lane.pending, lane.dead, sink.requests) == (0, 0, 6)


def test_events_of_one_page_leave_in_the_order_of_its_revisions(services: Services, database: Database) -> None:
    sink = FakeSink()
    here = with_sinks(services, kafka=sink)
    promise(here, [an_edit(revision=revision, page=77) for revision in (9, 8, 10)] + edits(2))

    publish(here)

    assert sink.revisions == [8, 9, 10, 1, 2]


def test_a_page_whose_earlier_event_was_not_taken_goes_on_with_that_one(services: Services, database: Database) -> None:
    sink = FakeSink(fate_of({8: SinkUnavailable("queue full")}))
    here = with_sinks(services, kafka=sink)
    promise(here, [an_edit(revision=revision, page=77) for revision in (9, 8, 10)] + edits(1))
    publish(here)
    assert sink.revisions == [1]

    sink.fate = takes_all
    publish(here)

    assert sink.revisions == [1, 8, 9, 10]


def test_a_publisher_leaves_a_lane_to_the_one_that_is_at_work_on_it(services: Services, database: Database) -> None:
    sink = FakeSink()
    here = with_sinks(services, kafka=sink)
    promise(here, edits(5))
    with database.transaction() as session:
        claim_in_order(session, EVENT_LANES["kafka"], limit=2, lease=FOREVER)

    publish(here)

    assert sink.requests == 0


def test_a_further_sink_costs_a_batch_of_edits_one_statement(services: Services, database: Database) -> None:
    drain(with_sinks(services, file=FakeSink()))
    counts = []
    for number, sinks in enumerate((("file",), ("file", "kafka"))):
        save(database, edits(100, first=1 + 1000 * number))
        with statements(services.wiki("enwiki").database) as seen:
            drain(with_sinks(services, **{sink: FakeSink() for sink in sinks}))
        counts.append(sum(statement.startswith("INSERT") and "event_outbox" in statement for statement in seen))

    assert counts == [1, 2]


def test_a_sink_that_the_settings_have_no_more_is_left_alone(services: Services, database: Database) -> None:
    save(database, edits(2))
    drain(services)

    assert not services.turns.take(services.wiki("enwiki"), EVENT_LANES["kafka"].name).goes_on

    assert status(database, FILE.lane).ready == 2
