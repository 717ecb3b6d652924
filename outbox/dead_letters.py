"""Messages that were given up: to list, to requeue, to discard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.orm import Session

from outbox.columns import database_now
from outbox.settling import LONGEST_ERROR
from outbox.tables import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up."""

    id: int
    payload: str
    attempt: int
    #: When the promise was made and when it was given up; naive, UTC by the database's clock.
    recorded_at: datetime
    died_at: datetime
    reason: str
    error: str


def list_dead_letters(
    session: Session | Connection,
    lane: Lane,
    *,
    ids: Sequence[int] = (),
    reason: str | None = None,
    older_than: timedelta | None = None,
    limit: int = 100,
) -> list[DeadLetter]:
    """Return the newest dead letters of *lane*, at most *limit*.

    Where they are given, *ids*, *reason* and *older_than* (how long it has been dead) must all match.
    """
    dead = lane.dead_letters
    query = select(dead).order_by(dead.c.id.desc()).limit(limit)
    if ids:
        query = query.where(dead.c.id.in_(sorted(ids)))
    if reason is not None:
        query = query.where(dead.c.reason == reason)
    if older_than is not None:
        query = query.where(dead.c.died_at < database_now(-older_than))
    return [DeadLetter(**row) for row in session.execute(query).mappings()]


def add_dead_letter(session: Session | Connection, lane: Lane, payload: str, *, reason: str, error: str) -> None:
    """Add a dead letter for what never became a message, once for each payload and reason; does not commit."""
    dead = lane.dead_letters
    same = select(dead.c.id).where(dead.c.reason == reason, dead.c.payload == payload).limit(1)
    if session.execute(same).first() is None:
        row = {"payload": payload, "attempt": 0, "recorded_at": database_now(), "reason": reason}
        session.execute(insert(dead).values(row | {"error": error[:LONGEST_ERROR]}))


def requeue(session: Session | Connection, lane: Lane, ids: Sequence[int]) -> int:
    """Make dead letters ready again with no attempt counted; returns how many there were. Does not commit."""
    dead = lane.dead_letters
    chosen = dead.c.id.in_(sorted(ids))
    # Two callers who requeue at once must not both find them; and a payload may be larger than what we could send back.
    held = session.execute(select(dead.c.id).where(chosen).with_for_update()).all()
    session.execute(
        insert(lane.messages).from_select(["payload"], select(dead.c.payload).where(chosen).order_by(dead.c.id))
    )
    session.execute(delete(dead).where(chosen))
    return len(held)


def discard(session: Session | Connection, lane: Lane, ids: Sequence[int]) -> int:
    """Delete dead letters for good; returns how many there were. Does not commit."""
    dead = lane.dead_letters
    return len(session.execute(delete(dead).where(dead.c.id.in_(sorted(ids))).returning(dead.c.id)).all())
