"""Claiming messages for a limited time, and renewing the claim while work goes on."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Integer,
    Row,
    Select,
    Update,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from outbox.columns import BY_KEY, database_now
from outbox.messages import Claim
from outbox.tables import NEVER, Lane
from outbox.transactions import Transaction, synchronous

#: A row of id, payload, attempt, and whether it was leased before.
Message = Row[Any, Any, Any, Any]


def claim(session: Transaction, lane: Lane, *, limit: int, lease: timedelta) -> list[Claim]:
    """Take up to *limit* ready messages of *lane* for *lease* from now, oldest first; one more attempt counts for each.

    Messages that another claimer is taking at this moment are skipped, not waited for. Abandoned ones are claimed with
    fewer and fewer others, and soon alone, so that a message which kills its worker takes no others with it. Does not
    commit: the claim holds once the caller commits, which should be at once, with no HTTP call in between. Must run
    READ COMMITTED (`outbox.database` sees to it): under REPEATABLE READ the gap locks of this scan made the wiki's own
    edits deadlock.

    Raises:
        TypeError: *session* is not a synchronous one of SQLAlchemy.
    """
    session = synchronous(session, "claim")
    now = _promote_due(session, lane, limit)
    return _take(session, lane, session.execute(_ready(lane), {"limit": limit}).all(), limit, lease, now)


def claim_in_order(session: Transaction, lane: Lane, *, limit: int, lease: timedelta) -> list[Claim] | None:
    """As `claim`, but only one claimer at a time: takes nothing while earlier messages are claimed, and returns None.

    So messages are worked on in the order of their ids, except those that were delayed. Waits for transactions that
    are just writing messages with earlier ids; for those that write later ones only if a delayed message has just
    become ready. Does not commit; raises as `claim`.
    """
    session = synchronous(session, "claim_in_order")
    # Reads no payload and waits for nobody: claimers that meet would make each other wait, and read for nothing.
    now, is_one_due, first_leased_until, count = session.execute(_state(lane), {"limit": limit}).one()
    if first_leased_until is not None and first_leased_until >= now:
        return None
    if is_one_due:
        _promote(session, lane, limit)
        count = limit
    if not count:
        return []
    # InnoDB locks one row more than an upper bound of the ids admits, but no more than a limit does.
    first = session.execute(_in_order(lane), {"limit": count}).all()
    if not all(row[-1] for row in first):
        return None
    return _take(session, lane, first, limit, lease, now)


# A statement is made once for each lane: making it costs as much as sending it.


@cache
def _ready(lane: Lane) -> Select[Any]:
    return _first(lane).where(_is_free(lane)).with_for_update(skip_locked=True)


@cache
def _in_order(lane: Lane) -> Select[Any]:
    return _first(lane).add_columns(_is_free(lane)).with_for_update()


def _first(lane: Lane) -> Select[Any]:
    messages = lane.messages.c
    was_leased = func.coalesce(messages.leased_until > NEVER, false()).label("was_leased")
    query = select(messages.id, messages.payload, messages.attempt, was_leased)
    return query.order_by(messages.id).limit(bindparam("limit", type_=Integer))


@cache
def _leasing(lane: Lane, lease: timedelta) -> Update:
    messages = lane.messages
    return (
        update(messages)
        .where(_named(lane))
        .values(lease_token=bindparam("token"), leased_until=database_now(lease), attempt=messages.c.attempt + 1)
        .execution_options(**BY_KEY)
    )


@cache
def _due(lane: Lane) -> Select[tuple[int]]:
    waiting = lane.waiting.c
    query = select(waiting.id).where(_is_due(lane)).order_by(waiting.due_at)
    return query.limit(bindparam("limit", type_=Integer)).with_for_update(skip_locked=True)


@cache
def _now_and_whether_due(lane: Lane) -> Select[Any, Any]:
    return select(database_now(), exists().where(_is_due(lane)))


@cache
def _state(lane: Lane) -> Select[Any]:
    """The database's time, whether a message is due, the first one's lease, and how many stand, at most *limit*."""
    messages = lane.messages.c
    first_lease = select(messages.leased_until).order_by(messages.id).limit(1).scalar_subquery()
    some = select(messages.id).order_by(messages.id).limit(bindparam("limit", type_=Integer)).subquery()
    count = select(func.count()).select_from(some).scalar_subquery()
    return select(database_now(), exists().where(_is_due(lane)), first_lease, count)


def _is_due(lane: Lane) -> ColumnElement[bool]:
    return lane.waiting.c.due_at <= database_now()


def _named(lane: Lane) -> ColumnElement[bool]:
    # Written into the text: these are numbers that the database gave, and a parameter each costs twice as much.
    return lane.messages.c.id.in_(bindparam("ids", expanding=True, literal_execute=True))


def _is_free(lane: Lane) -> ColumnElement[bool]:
    return or_(lane.messages.c.leased_until.is_(None), lane.messages.c.leased_until < database_now())


def _take(
    session: Session | Connection, lane: Lane, ready: Sequence[Message], limit: int, lease: timedelta, now: datetime
) -> list[Claim]:
    rows = _in_safe_company(ready, limit)
    if not rows:
        return []
    token, claimed_at = uuid.uuid4().hex, now.replace(tzinfo=UTC)
    session.execute(_leasing(lane, lease), {"ids": [row[0] for row in rows], "token": token})
    # Taken to pieces by place: by name each part takes as long as the claim itself.
    return [
        Claim(message=message, payload=payload, attempt=attempt + 1, token=token, claimed_at=claimed_at)
        for message, payload, attempt, *_ in rows
    ]


def renew(session: Transaction, lane: Lane, claims: Sequence[Claim], *, lease: timedelta) -> int:
    """Let the lease of *claims*, all taken by one call of `claim`, end *lease* from now; does not commit.

    Returns how many are still ours. Fewer than all means that a lease ran out and somebody else may be at work.

    Raises:
        TypeError: *session* is not a synchronous one of SQLAlchemy.
    """
    session = synchronous(session, "renew")
    if not claims:
        return 0
    renewal = update(lane.messages).where(*fence(lane)).values(leased_until=database_now(lease))
    result = session.execute(renewal.execution_options(**BY_KEY), fenced(claims))
    return cast("CursorResult[Any]", result).rowcount


def fence(lane: Lane) -> tuple[ColumnElement[bool], ...]:
    """The fence: those messages of one claim that still carry its token, both named by `fenced`."""
    return (_named(lane), lane.messages.c.lease_token == bindparam("token"))


def fenced(claims: Sequence[Claim]) -> dict[str, Any]:
    """The parameters of `fence` for *claims*, all taken by one call of `claim`."""
    return {"ids": sorted(claim.message for claim in claims), "token": claims[0].token}


def _in_safe_company(rows: Sequence[Message], limit: int) -> list[Message]:
    """The first of *rows*: at least one, and no more than may be claimed together with the most suspect of them.

    A message is suspect if somebody claimed it and never settled it. Each such claim divides *limit* by eight: 500,
    then 62, then 7, then alone.
    """
    if not any(row[3] for row in rows):
        return list(rows)
    taken: list[Message] = []
    largest = limit
    for row in rows:
        largest_for_row = max(1, limit // 8**row.attempt) if row.was_leased else limit
        if len(taken) >= min(largest, largest_for_row):
            # In a lane whose order matters, a message that is left out also holds back all later ones.
            break
        taken.append(row)
        largest = min(largest, largest_for_row)
    return taken


def _promote_due(session: Session | Connection, lane: Lane, limit: int) -> datetime:
    """Make waiting messages ready whose time has come; returns the database's time."""
    now: datetime
    now, is_one_due = session.execute(_now_and_whether_due(lane)).one()
    if is_one_due:
        _promote(session, lane, limit)
    return now


def _promote(session: Session | Connection, lane: Lane, limit: int) -> None:
    waiting = lane.waiting
    due: Sequence[Row[tuple[int]]] = session.execute(_due(lane), {"limit": limit}).all()
    if not due:
        return
    ids = sorted(row.id for row in due)
    kept = [waiting.c.payload, waiting.c.attempt, waiting.c.recorded_at]
    session.execute(
        insert(lane.messages).from_select(
            ["payload", "attempt", "recorded_at"], select(*kept).where(waiting.c.id.in_(ids)).order_by(waiting.c.id)
        )
    )
    session.execute(delete(waiting).where(waiting.c.id.in_(ids)).execution_options(**BY_KEY))
