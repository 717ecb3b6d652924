"""Making the promise: messages are written through the caller's transaction, never outside it."""

from collections.abc import Coroutine, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Insert, insert
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session

from outbox.edits import Edit
from outbox.inserting import insert_rows
from outbox.page_changes import PageChange, Promised
from outbox.tables import EDITS, Lane
from outbox.transactions import Transaction, asynchronous, commit_only_when_awaited, kind_of, synchronous

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

#: How database drivers mark parameters; see PEP 249.
PARAMSTYLES = ("format", "pyformat", "qmark", "named", "numeric")


def record(session: Transaction, *edits: Promised) -> None:
    """Promise that *edits* will be scored and announced, and that consumers get page changes that are no edits.

    One message per edit. Writes through *session*; never begins, flushes or commits: if the caller's transaction is
    rolled back there was no edit, and so there is no promise. Recording a revision twice is harmless: both messages
    lead to the same score ids and to the same event id.

    Raises:
        TypeError: *session* is not a synchronous one of SQLAlchemy; something is not an `Edit`, or no edit was given.
    """
    record_payloads(synchronous(session, "record"), EDITS, _payloads(edits, "record"))


def record_async(
    session: "AsyncSession | AsyncConnection | async_scoped_session[Any]", *edits: Promised
) -> Coroutine[Any, Any, None]:
    """As `record`, through an asynchronous session or connection: `await record_async(session, edit)`.

    Without the await nothing is written, and the commit of that transaction raises `PromiseNotAwaited` and is undone.

    Raises:
        TypeError: as `record` does, at the call itself.
    """
    open_one = asynchronous(session, "record_async")
    recording = _through(open_one, _payloads(edits, "record_async"))
    return commit_only_when_awaited(open_one, recording)


def record_statement(edit: Promised, *, paramstyle: str = "format") -> tuple[str, tuple[str, ...] | dict[str, str]]:
    """The statement that promises *edit*, and its parameters: `cursor.execute(*record_statement(edit))`.

    For a wiki without SQLAlchemy. To be executed in the transaction that saves the edit: inside `transaction.atomic()`
    of Django, or before the driver's `commit()`. *paramstyle* is the driver's, as its module names it
    (`sqlite3.paramstyle`); Django's cursors take "format" on every database. The parameters are ASCII, so that it makes
    no difference which character set the connection has.

    Raises:
        TypeError: *edit* is not an `Edit`.
        ValueError: there is no such *paramstyle*.
    """
    (payload,) = _payloads((edit,), "record_statement", ascii_only=True)
    statement = _statement(paramstyle)
    return statement, {"payload": payload} if paramstyle in {"pyformat", "named"} else (payload,)


def record_payloads(session: Transaction, lane: Lane, payloads: Sequence[str]) -> None:
    """Put ready messages with these JSON *payloads* into *lane*: one statement. Does not commit.

    Raises:
        TypeError: *session* is not SQLAlchemy's, or is an asynchronous one; *payloads* are not strings.
    """
    session = synchronous(session, "record_payloads")
    if isinstance(payloads, str) or not all(isinstance(payload, str) for payload in payloads):
        raise TypeError("outbox.record_payloads takes a list of strings, each the JSON of one message")
    if payloads:
        # Past the session, which would ask its mappers about a statement that is about none of them.
        through = session.connection({"clause": _insert(lane)}) if isinstance(session, Session) else session
        insert_rows(through, _insert(lane), ("payload",), [(payload,) for payload in payloads])


async def _through(session: "AsyncSession | AsyncConnection", payloads: Sequence[str]) -> None:
    await session.run_sync(record_payloads, EDITS, payloads)


def _payloads(edits: Sequence[Promised], function: str, *, ascii_only: bool = False) -> list[str]:
    if not edits:
        raise TypeError(f"outbox.{function} was given no edit, and so would promise nothing")
    for edit in edits:
        if not isinstance(edit, Edit | PageChange):
            way_out = "write outbox.Edit(wiki=..., revision=..., ...)"
            if isinstance(edit, list | tuple | set | frozenset):
                way_out = "take them out of it: outbox.record(session, *edits)"
            raise TypeError(f"outbox.{function} takes each edit as an outbox.Edit, not {kind_of(edit)}; {way_out}")
    return [edit.encode(ascii_only=ascii_only) for edit in edits]


@cache
def _insert(lane: Lane) -> Insert:
    return insert(lane.messages)


@cache
def _statement(paramstyle: str) -> str:
    if paramstyle not in PARAMSTYLES:
        raise ValueError(f"there is no paramstyle {paramstyle!r}; a driver's is one of {', '.join(PARAMSTYLES)}")
    dialect = DefaultDialect(paramstyle=paramstyle)  # type: ignore[arg-type]  # looked up above
    return str(insert(EDITS.messages).compile(dialect=dialect, column_keys=["payload"]))
