"""What is larger than the database takes in one packet: it ends as a dead letter, and holds up nobody."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event, select
from structlog.testing import capture_logs

from outbox import EDITS
from outbox.database import Database
from outbox.dead_letters import list_dead_letters
from outbox.recording import record_payloads
from tests.builders import an_edit, edits
from tests.services import create_database, drop_database
from tests.worker.lines import drain, make_due, promised_events, save, status
from worker.bootstrap import Services

LIMIT = 16_384
GROUPS = tuple(f"group {number}" for number in range(5_000))


@pytest.fixture(scope="module")
def database_url(mariadb_url: str) -> Iterator[str]:
    """On MariaDB only: SQLite takes a gigabyte."""
    yield create_database(mariadb_url, "large_messages")
    drop_database(mariadb_url, "large_messages")


def lower_the_limit(engine: Engine) -> None:
    """As an administrator would, for connections from now on; the server is others' too."""
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "largest", LIMIT))
    engine.dispose()


def test_an_edit_that_is_too_large_for_the_database_ends_as_a_dead_letter_and_holds_up_no_other(
    services: Services, database: Database
) -> None:
    large = an_edit(revision=99, user_groups=GROUPS).encode()
    with database.transaction() as session:
        record_payloads(session, EDITS, [large])
    save(database, edits(3))
    server = services.wiki("enwiki").database.server
    lower_the_limit(server.engine)
    with capture_logs() as lines:
        drain(services)
    others = [event["rev_id"] for event in promised_events(database)]
    for _ in range(services.settings.outbox.max_attempts):
        make_due(database, EDITS)
        drain(services)
    with database.reading() as connection:
        (dead,) = list_dead_letters(connection, EDITS)

    assert others == [1, 2, 3]
    assert (dead.payload, dead.reason, dead.attempt) == (
        large,
        "not_settled",
        services.settings.outbox.max_attempts + 1,
    )
    assert "takes no packet that large (1153: " in dead.error
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["value_refused"]
    assert status(database, EDITS).pending == 0
    assert not server.circuit.is_open


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_that_are_too_large_burn_one_attempt_each_a_turn(
    services: Services, database: Database, count: int
) -> None:
    with database.transaction() as session:
        record_payloads(
            session, EDITS, [an_edit(revision=90 + each, user_groups=GROUPS).encode() for each in range(count)]
        )
    lower_the_limit(services.wiki("enwiki").database.server.engine)
    drain(services)

    with database.reading() as connection:
        attempts = connection.execute(select(EDITS.waiting.c.attempt)).scalars().all()
    assert attempts == [1] * count
