"""Ending a claim: the one way out of a lane, fenced by the lease token."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, Table, delete, insert, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningDelete

from outbox.claiming import fence, fenced
from outbox.columns import BY_KEY, database_now
from outbox.messages import Claim, Dead, Outcome, Released, RetryLater
from outbox.tables import NEVER, NOBODYS_TOKEN, Lane
from outbox.transactions import Transaction, synchronous

#: Characters kept of an error; whole replies of an endpoint have no place in a table.
LONGEST_ERROR = 4000
#: Payloads of up to this many characters are sent back to the database; longer ones it moves by itself.
LARGEST_PAYLOAD = 8000


def settle(session: Transaction, lane: Lane, outcomes: Mapping[Claim, Outcome]) -> frozenset[Claim]:
    """End every claim in *outcomes* with its outcome; all were taken by one call of `claim`. Does not commit.

    Returns the claims that were still ours. For a claim that is not among them nothing was written, and the caller must
    write nothing either: its lease ran out and somebody else has the message. The removal comes first and is itself
    the fence, so whatever the caller writes next in this transaction is committed with it or not at all. Without
    outcomes nothing is done.

    Raises:
        TypeError: *session* is not a synchronous one of SQLAlchemy.
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
    large = [claim for claim in claims if len(claim.payload) > LARGEST_PAYLOAD and _is_kept_whole(outcomes[claim])]
    _move(session, lane, large, outcomes)
    small = [claim for claim in claims if claim not in large]
    # The payload as it is now: part of it may have been hidden since it was claimed.
    with_payload = any(isinstance(outcomes[claim], RetryLater | Dead) for claim in small)
    removal = _removal(lane, with_payload=with_payload)
    removed = {row[0]: row for row in session.execute(removal, fenced(claims)).all()}
    kept = [claim for claim in claims if claim.message in removed]
    small = [claim for claim in small if claim.message in removed]
    _let_wait(session, lane, small, outcomes, removed)
    _give_up(session, lane, small, outcomes, removed)
    return frozenset(kept)


@cache
def _removal(lane: Lane, *, with_payload: bool) -> ReturningDelete[Any]:
    messages = lane.messages.c
    wanted = [messages.id, *([messages.recorded_at, messages.payload] if with_payload else [])]
    return delete(lane.messages).where(*fence(lane)).returning(*wanted).execution_options(**BY_KEY)


def _release(session: Session | Connection, lane: Lane, claims: Sequence[Claim]) -> frozenset[Claim]:
    if not claims:
        return frozenset()
    messages = lane.messages
    as_before = {"lease_token": NOBODYS_TOKEN, "leased_until": NEVER, "attempt": messages.c.attempt - 1}
    release = update(messages).where(*fence(lane)).values(as_before).execution_options(**BY_KEY)
    count = cast("CursorResult[Any]", session.execute(release, fenced(claims))).rowcount
    # If some were lost, it does not matter which: nothing else is written for them.
    return frozenset(claims if count == len(claims) else ())


def _move(
    session: Session | Connection, lane: Lane, claims: Sequence[Claim], outcomes: Mapping[Claim, Outcome]
) -> None:
    """Let the database move payloads that it may no longer take from us: its limit may be lower than when they came."""
    messages = lane.messages
    for claim in claims:
        # One by one: for a list of ids the server may scan the table, and wait for edits that are being saved.
        is_ours = (messages.c.id == claim.message, messages.c.lease_token == claim.token)
        if session.execute(select(messages.c.id).where(*is_ours).with_for_update()).first() is None:
            continue
        table, new = _place(lane, claim, outcomes[claim])
        kept = select(messages.c.payload, messages.c.recorded_at, *new.values()).where(*is_ours)
        session.execute(insert(table).from_select(["payload", "recorded_at", *new], kept))


def _place(lane: Lane, claim: Claim, outcome: Outcome) -> tuple[Table, dict[str, ColumnElement[Any]]]:
    """The table to which a message with that outcome moves, and the columns that change."""
    if isinstance(outcome, Dead):
        return lane.dead_letters, {
            "attempt": literal(claim.attempt),
            "reason": literal(outcome.reason),
            "error": literal(_kept(outcome.error)),
        }
    if not isinstance(outcome, RetryLater):
        raise TypeError(f"a message with the outcome {outcome!r} goes nowhere")
    return lane.waiting, {
        "attempt": literal(_attempts(claim, outcome)),
        "due_at": database_now(max(outcome.delay, timedelta(0))),
        "error": literal(_kept(outcome.error)),
    }


def _kept(error: str) -> str:
    """What is kept of an error, in letters that a table can hold: a peer's words may have lone surrogates."""
    return error[:LONGEST_ERROR].encode(errors="replace").decode()


def _is_kept_whole(outcome: Outcome) -> bool:
    """Whether the message moves with its payload unchanged."""
    return isinstance(outcome, Dead) or (isinstance(outcome, RetryLater) and not outcome.payload)


def _attempts(claim: Claim, outcome: RetryLater) -> int:
    return claim.attempt if outcome.burns_attempt else claim.attempt - 1


def _let_wait(
    session: Session | Connection,
    lane: Lane,
    claims: Sequence[Claim],
    outcomes: Mapping[Claim, Outcome],
    removed: Mapping[int, Any],
) -> None:
    retries = [(claim, outcome) for claim in claims if isinstance(outcome := outcomes[claim], RetryLater)]
    if not retries:
        return
    now: datetime = session.execute(select(database_now())).scalar_one()
    rows: list[dict[str, Any]] = [
        {
            "payload": _payload(outcome, claim, removed[claim.message].payload),
            "attempt": _attempts(claim, outcome),
            "recorded_at": removed[claim.message].recorded_at,
            "due_at": now + max(outcome.delay, timedelta(0)),
            "error": _kept(outcome.error),
        }
        for claim, outcome in retries
    ]
    session.execute(insert(lane.waiting), rows)


def _payload(outcome: RetryLater, claim: Claim, now: str) -> str:
    """The payload that waits: that of the outcome, unless something in the message was hidden since it was claimed."""
    return outcome.payload or now if now == claim.payload else now


def _give_up(
    session: Session | Connection,
    lane: Lane,
    claims: Sequence[Claim],
    outcomes: Mapping[Claim, Outcome],
    removed: Mapping[int, Any],
) -> None:
    dead = [(claim, outcome) for claim in claims if isinstance(outcome := outcomes[claim], Dead)]
    rows: list[dict[str, Any]] = [
        {
            "payload": removed[claim.message].payload,
            "attempt": claim.attempt,
            "recorded_at": removed[claim.message].recorded_at,
            "reason": outcome.reason,
            "error": _kept(outcome.error),
        }
        for claim, outcome in dead
    ]
    if rows:
        session.execute(insert(lane.dead_letters), rows)
