"""What the ledger says of each stream: events of the last minute and hour, and for how long it has been silent."""

from datetime import timedelta

from outbox.database import Database
from tests.worker.lines import statements
from tests.worker.watching.ledger import write
from worker.events.ledger import Traffic, traffic

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def look(database: Database) -> dict[tuple[str, str], Traffic]:
    with database.reading() as connection:
        return {(each.sink, each.stream): each for each in traffic(connection)}


def test_events_are_counted_by_their_age(database: Database) -> None:
    for count, age in ((1, timedelta(0)), (2, 2 * MINUTE), (4, 2 * HOUR)):
        write(database, count, age=age)

    (of_s,) = look(database).values()
    assert (of_s.last_minute, of_s.last_hour) == (1, 3)


def test_streams_and_sinks_are_counted_on_their_own(database: Database) -> None:
    for count, sink, stream in ((1, "file", "a"), (2, "file", "b"), (3, "kafka", "a")):
        write(database, count, sink=sink, stream=stream)

    counts = {key: each.last_hour for key, each in look(database).items()}
    assert counts == {("file", "a"): 1, ("file", "b"): 2, ("kafka", "a"): 3}


def test_a_stream_has_been_silent_since_its_newest_event(database: Database) -> None:
    write(database, 1, age=2 * HOUR)
    write(database, 1, age=10 * MINUTE)

    (of_s,) = look(database).values()
    assert 600 <= of_s.silent_seconds < 700


def test_a_stream_that_was_silent_for_a_day_is_not_told_of(database: Database) -> None:
    write(database, 1, age=DAY + MINUTE)

    assert look(database) == {}


def test_the_traffic_is_one_statement(database: Database) -> None:
    write(database, 5)
    with statements(database) as seen:
        look(database)

    assert len(seen) == 1
