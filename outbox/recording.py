"""Making the promise: messages written through the caller's transaction, never outside of it."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert
from sqlalchemy.orm import Session

from outbox.edits import Edit
from outbox.tables import EDITS, Lane


def record(session: Session | Connection, *edits: Edit) -> None:
    """Promise that *edits* will be scored and announced.

    One message per edit. Writes through *session*; never begins, flushes or commits: if the caller's transaction is
    rolled back there was no edit, and so there is no promise. Recording a revision twice is harmless: both messages
    lead to the same score ids and to the same event id.
    """
    record_payloads(session, EDITS, [edit.encode() for edit in edits])


def record_payloads(session: Session | Connection, lane: Lane, payloads: Sequence[str]) -> None:
    """Put ready messages with these JSON *payloads* into *lane*: one statement. Does not commit."""
    if payloads:
        # Nothing but placeholders among the values: the driver sends one INSERT only then.
        session.execute(insert(lane.messages), [{"payload": payload} for payload in payloads])
