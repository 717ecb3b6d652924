"""What a caller may pass as its transaction, and the error for anything else.

A promise that is written elsewhere, or never, is not committed together with the edit; so everything is checked here.
"""

import inspect
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction, scoped_session, sessionmaker

from outbox.errors import PromiseNotAwaited

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

Transaction = Session | Connection | scoped_session[Any]
#: Needs greenlet, so it is looked up only where the caller has imported it.
ASYNCIO = "sqlalchemy.ext.asyncio"

_unawaited: WeakKeyDictionary[Session | Connection, list[Coroutine[Any, Any, None]]] = WeakKeyDictionary()


def synchronous(handed: Transaction, function: str) -> Session | Connection:
    """The session or connection that was passed to *function*; for a scoped session, the session of the current scope.

    Raises:
        TypeError: it is something else; the text names the right function.
    """
    if isinstance(handed, Session | Connection):
        return handed
    if isinstance(handed, scoped_session):
        session: Session = handed()
        return session
    raise TypeError(
        f"outbox.{function} takes a Session or Connection of SQLAlchemy, not {kind_of(handed)}; "
        f"{_way_out(handed, function)}"
    )


def asynchronous(
    handed: "AsyncSession | AsyncConnection | async_scoped_session[Any]", function: str
) -> "AsyncSession | AsyncConnection":
    """As `synchronous`, for the sessions and connections of `sqlalchemy.ext.asyncio`."""
    if _is_asynchronous(handed):
        # Calling a scoped session gives the one of its scope.
        return handed() if callable(handed) else handed
    way_out = _way_out(handed, function)
    if isinstance(handed, Session | Connection | scoped_session):
        way_out = "for that one, call outbox.record(session, edit)"
    raise TypeError(
        f"outbox.{function} takes an AsyncSession or AsyncConnection of SQLAlchemy, not {kind_of(handed)}; {way_out}"
    )


def kind_of(thing: object) -> str:
    """The full name of its type: `pymysql.cursors.Cursor`."""
    kind = type(thing)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def commit_only_when_awaited(
    handed: "AsyncSession | AsyncConnection", recording: Coroutine[Any, Any, None]
) -> Coroutine[Any, Any, None]:
    """Make the commit fail until *recording* has been awaited: the edit would be saved without its promise."""
    target = handed.sync_session if hasattr(handed, "sync_session") else handed.sync_connection
    # A connection that is not open yet is None; SQLAlchemy raises an error for that at the await. One that a session
    # was bound to can be committed past the session.
    for each in (target, target.bind if isinstance(target, Session) else None):
        if isinstance(each, Session | Connection):
            _watch(each)
            _unawaited[each].append(recording)
    return recording


def _watch(target: Session | Connection) -> None:
    if target not in _unawaited:
        _unawaited[target] = []
        if isinstance(target, Session):
            event.listen(target, "before_commit", _refuse_commit)
            event.listen(target, "after_transaction_end", _forget_after)
        else:
            event.listen(target, "commit", _refuse_commit_of_connection)
            event.listen(target, "rollback", _forget)


def _way_out(handed: object, function: str) -> str:
    recording = function.startswith("record") and function != "record_payloads"
    if _is_asynchronous(handed):
        if recording:
            return "write: await outbox.record_async(session, edit)"
        return f"write: await session.run_sync(lambda session: outbox.{function}(session, ...))"
    if inspect.isawaitable(handed):
        return "await it first, and hand over what comes of it"
    if isinstance(handed, Engine | sessionmaker) or type(handed).__name__ in {"AsyncEngine", "async_sessionmaker"}:
        return "open one, and hand over the one that the edit is saved through"
    if recording and (hasattr(handed, "cursor") or hasattr(handed, "execute")):
        return "for a cursor of Django or of a database driver: cursor.execute(*outbox.record_statement(edit))"
    return "hand over the one that the edit is saved through"


def _is_asynchronous(handed: object) -> bool:
    asyncio = sys.modules.get(ASYNCIO)
    return asyncio is not None and isinstance(
        handed, asyncio.AsyncSession | asyncio.AsyncConnection | asyncio.async_scoped_session
    )


def _refuse_commit(target: Session | Connection) -> None:
    states = {each: inspect.getcoroutinestate(each) for each in _unawaited[target]}
    lost = [each for each, state in states.items() if state != inspect.CORO_CLOSED]
    # One that was begun belongs to its task, and may have ended by the next commit.
    _unawaited[target] = [each for each in lost if states[each] != inspect.CORO_CREATED]
    for each in lost:
        if states[each] == inspect.CORO_CREATED:
            each.close()
    if lost:
        raise PromiseNotAwaited(
            "outbox.record_async was called in this transaction and not awaited, so it is not committed: an edit would "
            "be saved and never scored; write: await outbox.record_async(session, edit)"
        )


def _refuse_commit_of_connection(connection: Connection) -> None:
    try:
        _refuse_commit(connection)
    except PromiseNotAwaited:
        # A session rolls back by itself; a connection would keep the edit and commit it the next time. While a promise
        # is being written, it can do nothing else.
        if not _unawaited[connection]:
            connection.dialect.do_rollback(connection.connection)
        raise


def _forget_after(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        _forget(session)


def _forget(target: Session | Connection) -> None:
    _unawaited[target].clear()
