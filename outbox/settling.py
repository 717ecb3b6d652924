"""Ending a claim: the one way out of a lane, fenced by the lease token."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, delete, insert, select, update
from sqlalchemy.orm import Session

from outbox.claiming import ours
from outbox.columns import BY_KEY, database_now
from outbox.messages import Claim, Dead, Outcome, Released, RetryLater
from outbox.tables import Lane
from outbox.transactions import Transaction, synchronous

#: Characters kept of an error; whole replies of an endpoint have no place in a table.
LONGEST_ERROR = 4000


def settle(session: Transaction, lane: Lane, outcomes: Mapping[Claim, Outcome]) -> frozenset[Claim]:
    """End every claim in *outcomes* with its outcome; all were taken by one call of `claim`. Does not commit.

    Returns the claims that were still ours. For a claim that is not among them nothing was written, and the caller must
    write nothing either: its lease ran out and somebody else has the message. The removal comes first and is itself
    the fence, so whatever the caller writes next in this transaction is committed with it or not at all.
    """
    session = synchronous(session, "settle")
    released = [claim for claim, outcome in outcomes.items() if isinstance(outcome, Released)]
    claims = [claim for claim, outcome in outcomes.items() if not isinstance(outcome, Released)]
    return _release(session, lane, released) | _remove(session, lane, claims, outcomes)


def _remove(
    session: Session | Connection, lane: Lane, claims: Sequence[Claim], outcomes: Mapping[Claim, Outcome]
) -> frozenset[Claim]:
    if not claims:
        return frozenset()
    messages = lane.messages
    removal = delete(messages).where(*ours(lane, claims)).returning(messages.c.id, messages.c.recorded_at)
    removed = session.execute(removal.execution_options(**BY_KEY)).all()
    recorded_at = {row.id: row.recorded_at for row in removed}
    kept = [claim for claim in claims if claim.message in recorded_at]
    _let_wait(session, lane, kept, outcomes, recorded_at)
    _bury(session, lane, kept, outcomes, recorded_at)
    return frozenset(kept)


def _release(session: Session | Connection, lane: Lane, claims: Sequence[Claim]) -> frozenset[Claim]:
    if not claims:
        return frozenset()
    messages = lane.messages
    as_before = {"lease_token": None, "leased_until": None, "attempt": messages.c.attempt - 1}
    release = update(messages).where(*ours(lane, claims)).values(as_before)
    count = cast("CursorResult[Any]", session.execute(release.execution_options(**BY_KEY))).rowcount
    # If some were lost, it does not matter which: nothing else is written for them.
    return frozenset(claims if count == len(claims) else ())


def _let_wait(
    session: Session | Connection,
    lane: Lane,
    claims: Sequence[Claim],
    outcomes: Mapping[Claim, Outcome],
    recorded_at: Mapping[int, datetime],
) -> None:
    retries = [(claim, outcome) for claim in claims if isinstance(outcome := outcomes[claim], RetryLater)]
    if not retries:
        return
    now: datetime = session.execute(select(database_now())).scalar_one()
    rows: list[dict[str, Any]] = [
        {
            "payload": outcome.payload or claim.payload,
            "attempt": claim.attempt if outcome.burns_attempt else claim.attempt - 1,
            "recorded_at": recorded_at[claim.message],
            "due_at": now + max(outcome.delay, timedelta(0)),
            "error": outcome.error[:LONGEST_ERROR],
        }
        for claim, outcome in retries
    ]
    session.execute(insert(lane.waiting), rows)


def _bury(
    session: Session | Connection,
    lane: Lane,
    claims: Sequence[Claim],
    outcomes: Mapping[Claim, Outcome],
    recorded_at: Mapping[int, datetime],
) -> None:
    dead = [(claim, outcome) for claim in claims if isinstance(outcome := outcomes[claim], Dead)]
    rows: list[dict[str, Any]] = [
        {
            "payload": claim.payload,
            "attempt": claim.attempt,
            "recorded_at": recorded_at[claim.message],
            "reason": outcome.reason,
            "error": outcome.error[:LONGEST_ERROR],
        }
        for claim, outcome in dead
    ]
    if rows:
        session.execute(insert(lane.dead_letters), rows)
