"""What the hot path costs, in statements and in rows looked at; counted, never timed."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from outbox import EDITS, Claim, Dead, Delivered, Outcome, RetryLater, claim, record, record_payloads, renew, settle
from outbox.database import Database
from tests.builders import edits
from tests.outbox.lanes import MINUTE, Statement, end, hold, make_due, record_edits, statements, take
from worker.events.file_sink import FILE

HOUR = timedelta(hours=1)


def verbs(seen: Sequence[Statement]) -> list[str]:
    return [statement.text.split(maxsplit=1)[0] for statement in seen]


def on_the_server(connection: Connection) -> int:
    """Statements that this connection has sent so far, as the server counts them."""
    return int(connection.execute(text("SHOW SESSION STATUS LIKE 'Questions'")).one()[1])


@pytest.mark.parametrize("count", [1, 200])
def test_a_claim_is_three_statements_however_many_messages(database: Database, count: int) -> None:
    record_edits(database, count)

    with statements(database.engine) as seen:
        assert len(take(database, limit=200)) == count

    assert verbs(seen) == ["SELECT", "SELECT", "UPDATE"]


def test_a_claim_on_an_empty_lane_writes_nothing(database: Database) -> None:
    with statements(database.engine) as seen:
        take(database)

    assert verbs(seen) == ["SELECT", "SELECT"]


def test_promoting_is_two_statements_however_many_messages(database: Database) -> None:
    record_edits(database, 200)
    end(database, dict.fromkeys(take(database, limit=200), RetryLater(HOUR, "503")))
    make_due(database)

    with statements(database.engine) as seen:
        assert len(take(database, limit=200)) == 200

    # Whether any is due, which they are, and the two; then as ever.
    assert verbs(seen) == ["SELECT", "SELECT", "INSERT", "DELETE", "SELECT", "UPDATE"]


@pytest.mark.parametrize("count", [1, 200])
def test_delivering_is_one_statement_however_many_messages(database: Database, count: int) -> None:
    record_edits(database, count)
    claims = take(database, limit=200)

    with statements(database.engine) as seen:
        assert len(end(database, dict.fromkeys(claims, Delivered()))) == count

    assert verbs(seen) == ["DELETE"]


def test_every_outcome_at_once_is_four_statements(database: Database) -> None:
    record_edits(database, 200)
    outcomes: list[Outcome] = [Delivered(), RetryLater(HOUR, "503"), Dead("refused", "400")]
    mixed = {taken: outcomes[number % 3] for number, taken in enumerate(take(database, limit=200))}

    with statements(database.engine) as seen:
        end(database, mixed)

    assert verbs(seen) == ["DELETE", "SELECT", "INSERT", "INSERT"]


def test_renewing_is_one_statement_however_many_messages(database: Database) -> None:
    record_edits(database, 200)
    claims = take(database, limit=200)

    with statements(database.engine) as seen:
        assert hold(database, claims) == 200

    assert verbs(seen) == ["UPDATE"]


def test_the_server_gets_no_more_statements_than_the_driver(mariadb: Database) -> None:
    """The driver repeats a statement for each row where it finds no plain list of values."""
    outcomes: list[Outcome] = [RetryLater(HOUR, "503"), Dead("refused", "400")]
    with mariadb.transaction() as session:
        before = on_the_server(session)
        record(session, *edits(200))
        record_payloads(session, FILE.lane, ["{}"] * 200)
        claims = claim(session, EDITS, limit=200, lease=MINUTE)
        renew(session, EDITS, claims, lease=MINUTE)
        settle(session, EDITS, {taken: outcomes[number % 2] for number, taken in enumerate(claims)})
        sent = on_the_server(session) - before

    # Two records, three of the claim, one renewal, four of the settlement, and the question itself.
    assert sent == 2 + 3 + 1 + 4 + 1


@pytest.mark.parametrize("left", [5, 200, 400])
def test_the_rows_of_a_claim_are_looked_up_by_their_key_however_small_the_lane(mariadb: Database, left: int) -> None:
    """A scan instead would wait for the rows of others; with few rows, the server prefers one to a list of ids."""
    record_edits(mariadb, left)
    claims: list[Claim] = []
    with mariadb.transaction() as session:
        claiming = reads(session, lambda: claims.extend(claim(session, EDITS, limit=200, lease=MINUTE)))
        renewing = reads(session, lambda: renew(session, EDITS, claims, lease=MINUTE))
        settling = reads(session, lambda: settle(session, EDITS, dict.fromkeys(claims, Delivered())))

    count = min(left, 200)
    assert renewing == Counter(key=count)
    assert settling == Counter(key=count)
    # One look at what waits, which is nothing; then from the first row on until there are enough, or no more.
    assert claiming == Counter(first=2, next=min(left, 199), key=count)


def reads(session: Connection, work: Callable[[], object]) -> Counter[str]:
    """How *work* reads rows, by the server's count of calls into its storage."""
    before = _reads_so_far(session)
    idle = _reads_so_far(session) - before
    start = _reads_so_far(session)
    work()
    return _reads_so_far(session) - start - idle


def _reads_so_far(session: Connection) -> Counter[str]:
    counts = session.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return Counter({name.removeprefix("Handler_read_"): int(value) for name, value in counts})
