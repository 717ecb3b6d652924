"""The ledger: a line for each event that a sink took, and for no other; forgotten in time and in small steps."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from outbox import record_payloads
from outbox.database import Database
from tests.builders import an_event, edits
from tests.eventgate import EmulatedEventGate
from tests.worker.conftest import BuildServices
from tests.worker.lines import claim_all, drain, promised_events, publish, save, statements
from tests.worker.watching.ledger import announce, ids_of, lines_of, write
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.events.ledger import announced, forget_before, keep
from worker.upkeep.purging import expire_ledger

HOUR = timedelta(hours=1)


def test_each_delivered_event_is_one_line(database: Database, services: Services) -> None:
    save(database, edits(3))
    drain(services)
    promised = {event["meta"]["id"] for event in promised_events(database)}
    publish(services)

    assert [(line["sink"], line["stream"], line["revision"]) for line in lines_of(database)] == [
        ("file", "mediawiki.revision-score", revision) for revision in (1, 2, 3)
    ]
    assert ids_of(database) == promised


def test_a_batch_of_lines_is_one_statement(database: Database, services: Services) -> None:
    save(database, edits(50))
    drain(services)
    with statements(services.wiki("enwiki").database) as seen:
        publish(services)

    assert (
        len([statement for statement in seen if statement.startswith("INSERT INTO") and "event_ledger" in statement])
        == 1
    )
    assert len(lines_of(database)) == 50


def test_refused_events_leave_no_line(database: Database, to_eventgate: Services, eventgate: EmulatedEventGate) -> None:
    eventgate.set(refuse={"every_nth": 2})
    save(database, edits(10))
    announce(to_eventgate)

    assert ids_of(database) == eventgate.ids().keys()
    assert len(lines_of(database)) == 5


def test_an_outage_leaves_no_line(database: Database, to_eventgate: Services, eventgate: EmulatedEventGate) -> None:
    eventgate.set(failures={"rate": 1, "status": 503})
    save(database, edits(10))
    announce(to_eventgate)

    assert lines_of(database) == []


def test_who_lost_its_lease_writes_no_line(database: Database, services: Services) -> None:
    save(database, edits(3))
    drain(services)
    claims = claim_all(database, FILE.lane)
    with database.transaction() as session:
        session.execute(update(FILE.lane.messages).values(lease_token="another"))
    services.runner.run(services.consumers[FILE.lane.name].work(services.wiki("enwiki"), claims))

    assert lines_of(database) == []


def test_an_event_whose_id_is_no_uuid_has_a_line_all_the_same(database: Database, services: Services) -> None:
    body = '{"meta": {"stream": "s", "id": "seven"}, "rev_id": 7}'
    for _ in range(2):
        with database.transaction() as session:
            record_payloads(session, FILE.lane, [body])
        publish(services)

    first, second = lines_of(database)
    assert first["event_id"] == second["event_id"]
    assert UUID(bytes=first["event_id"]).version == 5


def test_a_long_name_of_a_stream_is_cut(database: Database) -> None:
    write(database, 1, stream="é" * 200)

    assert lines_of(database)[0]["stream"] == "é" * 128


def test_the_ledger_knows_what_was_announced_to_which_sink(database: Database) -> None:
    write(database, 2, sink="file")
    write(database, 1, sink="kafka", revision=3)

    with database.reading() as connection:
        assert announced(connection, [1, 2, 3, 4], "file") == {1, 2}
        assert announced(connection, [1, 2, 3, 4], "kafka") == {3}


def test_no_line_is_no_statement(database: Database) -> None:
    with database.transaction() as session, statements(database) as seen:
        keep(session, "file", [])

    assert seen == []


def test_what_is_old_is_forgotten_and_what_is_young_is_not(database: Database) -> None:
    write(database, 3, age=2 * HOUR)
    write(database, 2, age=HOUR / 2, id="11111111-0000-5000-8000-000000000000")

    with database.transaction() as session:
        assert forget_before(session, HOUR, limit=100) == 3
    assert ids_of(database) == {"11111111-0000-5000-8000-000000000000"}


def test_one_step_of_forgetting_takes_the_oldest_and_no_more_than_its_limit(database: Database) -> None:
    write(database, 2, age=2 * HOUR, revision=2)
    write(database, 3, age=3 * HOUR, revision=3)

    with database.transaction() as session:
        assert forget_before(session, HOUR, limit=3) == 3
    assert [line["revision"] for line in lines_of(database)] == [2, 2]


@pytest.mark.parametrize(("lines", "steps"), [(0, []), (7, [3, 3, 1]), (6, [3, 3])])
def test_a_ledger_expires_in_steps(
    lines: int, steps: list[int], database: Database, services_for: BuildServices
) -> None:
    write(database, lines, age=3 * 24 * HOUR)
    write(database, 2, age=HOUR)
    assert list(expire_ledger(database, timedelta(days=2), batch_size=3)) == steps
    assert len(lines_of(database)) == 2


def test_an_event_that_is_sent_twice_has_two_lines_of_one_id(database: Database) -> None:
    for _ in range(2):
        with database.transaction() as session:
            keep(session, "file", [an_event()])

    assert (len(lines_of(database)), len(ids_of(database))) == (2, 1)
