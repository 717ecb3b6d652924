"""What the tests of the outbox do to a lane, each in a transaction of its own, and how they look at one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, event, select, update

from outbox import EDITS, Claim, Edit, Outcome, claim, record, renew, settle
from outbox.columns import database_now
from outbox.database import Database
from tests.builders import edits

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Statement:
    """One call of the driver."""

    text: str
    parameters: Any


def record_edits(database: Database, count: int, *, first: int = 1) -> list[Edit]:
    recorded = edits(count, first=first)
    with database.transaction() as session:
        record(session, *recorded)
    return recorded


def take(database: Database, *, limit: int = 100, lease: timedelta = MINUTE) -> list[Claim]:
    return database.run(lambda session: claim(session, EDITS, limit=limit, lease=lease))


def take_one(database: Database) -> Claim:
    """Record one edit and claim it."""
    record_edits(database, 1)
    (taken,) = take(database)
    return taken


def hold(database: Database, claims: Sequence[Claim], *, lease: timedelta = MINUTE) -> int:
    return database.run(lambda session: renew(session, EDITS, claims, lease=lease))


def end(database: Database, outcomes: Mapping[Claim, Outcome]) -> frozenset[Claim]:
    return database.run(lambda session: settle(session, EDITS, outcomes))


def run_out(database: Database, claims: Sequence[Claim]) -> None:
    """Let the leases of *claims* be over since a second."""
    messages = EDITS.messages
    ids = [claim.message for claim in claims]
    with database.transaction() as session:
        session.execute(
            update(messages).where(messages.c.id.in_(ids)).values(leased_until=database_now(timedelta(seconds=-1)))
        )


def make_due(database: Database) -> None:
    """Let the time of every waiting message have come."""
    with database.transaction() as session:
        session.execute(update(EDITS.waiting).values(due_at=database_now(timedelta(seconds=-1))))


def rows(database: Database, table: Table[Any]) -> list[RowMapping]:
    with database.reading() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)).mappings())


def revisions(claims: Sequence[Claim]) -> list[int]:
    return [Edit.decode(claim.payload).revision for claim in claims]


@contextmanager
def statements(of: Engine) -> Iterator[list[Statement]]:
    """What the driver is told meanwhile; BEGIN and COMMIT are not among it."""
    seen: list[Statement] = []

    def note(_connection: Connection, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        if not text.startswith("BEGIN"):
            seen.append(Statement(text, parameters))

    event.listen(of, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(of, "before_cursor_execute", note)
