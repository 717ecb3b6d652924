"""`record_async`, through SQLAlchemy's asynchronous sessions and connections over aiosqlite and aiomysql."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

import outbox
from outbox import PromiseNotAwaited
from outbox.database import Database
from outbox.edits import Edit
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit
from tests.outbox.promises import promised, saved

Handed = AsyncSession | AsyncConnection
Scenario = Callable[[Handed], Awaitable[None]]
Through = Callable[[Scenario], None]

EDIT = an_edit(revision=7)
DRIVERS = {"sqlite": "sqlite+aiosqlite", "mariadb": "mariadb+aiomysql"}


@asynccontextmanager
async def engine_of(database: Database) -> AsyncIterator[AsyncEngine]:
    url = database.url.set(drivername=DRIVERS[database.url.get_backend_name()])
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture(params=["session", "connection"])
def through(request: pytest.FixtureRequest, database: Database) -> Through:
    """`through(scenario)` runs it with an open session or connection, which it leaves uncommitted."""

    async def run(scenario: Scenario) -> None:
        async with engine_of(database) as engine:
            if request.param == "session":
                async with AsyncSession(engine) as session:
                    await scenario(session)
            else:
                async with engine.connect() as connection:
                    await scenario(connection)

    return lambda scenario: asyncio.run(run(scenario))


async def save(handed: Handed, edit: Edit) -> None:
    """What a wiki of its own might do: a row of the edit, with no promise."""
    await handed.execute(
        text(
            "INSERT INTO page (page_id, page_namespace, page_title, page_touched, page_latest, page_len)"
            " VALUES (:page, 0, :title, '20260101000000', :revision, 0)"
        ),
        {"page": edit.page, "title": edit.title, "revision": edit.revision},
    )


def test_an_edit_and_its_promise_are_committed_together(through: Through, database: Database) -> None:
    async def scenario(handed: Handed) -> None:
        await save(handed, EDIT)
        await outbox.record_async(handed, EDIT)
        assert promised(database) == []
        await handed.commit()

    through(scenario)

    assert (saved(database), promised(database)) == ([EDIT.page], [EDIT])


def test_an_edit_and_its_promise_are_rolled_back_together(through: Through, database: Database) -> None:
    async def scenario(handed: Handed) -> None:
        await save(handed, EDIT)
        await outbox.record_async(handed, EDIT)
        await handed.rollback()

    through(scenario)

    assert (saved(database), promised(database)) == ([], [])


def test_a_promise_that_was_not_awaited_keeps_its_edit_from_being_committed(
    through: Through, database: Database
) -> None:
    async def scenario(handed: Handed) -> None:
        await save(handed, EDIT)
        outbox.record_async(handed, EDIT)  # type: ignore[unused-coroutine]  # the mistake
        with pytest.raises(PromiseNotAwaited, match="write: await outbox"):
            await handed.commit()

    through(scenario)

    assert (saved(database), promised(database)) == ([], [])


def test_what_was_refused_for_want_of_an_await_is_not_committed_by_what_follows(
    through: Through, database: Database
) -> None:
    later = an_edit(revision=8)

    async def scenario(handed: Handed) -> None:
        await save(handed, EDIT)
        outbox.record_async(handed, EDIT)  # type: ignore[unused-coroutine]  # the mistake
        with pytest.raises(PromiseNotAwaited):
            await handed.commit()
        await handed.rollback()
        await save(handed, later)
        await outbox.record_async(handed, later)
        await handed.commit()

    through(scenario)

    assert (saved(database), promised(database)) == ([later.page], [later])


def test_a_forgotten_await_that_was_rolled_back_does_not_haunt_the_next_transaction(
    through: Through, database: Database
) -> None:
    async def scenario(handed: Handed) -> None:
        await save(handed, EDIT)
        forgotten = outbox.record_async(handed, EDIT)
        await handed.rollback()
        forgotten.close()
        await outbox.record_async(handed, EDIT)
        await handed.commit()

    through(scenario)

    assert promised(database) == [EDIT]


def test_one_of_several_promises_that_was_not_awaited_is_enough(through: Through, database: Database) -> None:
    async def scenario(handed: Handed) -> None:
        await outbox.record_async(handed, EDIT)
        outbox.record_async(handed, an_edit(revision=8))  # type: ignore[unused-coroutine]  # the mistake
        with pytest.raises(PromiseNotAwaited, match="not awaited"):
            await handed.commit()

    through(scenario)

    assert promised(database) == []


def test_a_promise_may_be_a_task_of_its_own(through: Through, database: Database) -> None:
    async def scenario(handed: Handed) -> None:
        await asyncio.create_task(outbox.record_async(handed, EDIT, an_edit(revision=8)))
        await handed.commit()

    through(scenario)

    assert promised(database) == [EDIT, an_edit(revision=8)]


def test_a_promise_that_was_begun_and_has_not_ended_keeps_its_edit_from_being_committed(
    through: Through, database: Database
) -> None:
    """As a task that nobody awaits before the commit."""

    async def scenario(handed: Handed) -> None:
        await save(handed, EDIT)
        recording = asyncio.create_task(outbox.record_async(handed, EDIT))
        await asyncio.sleep(0)
        with pytest.raises(PromiseNotAwaited):
            await handed.commit()
        await asyncio.wait({recording})

    through(scenario)

    assert (saved(database), promised(database)) == ([], [])


@pytest.mark.parametrize("forgets", [True, False])
def test_a_connection_that_is_committed_past_its_session_keeps_no_edit_without_its_promise(
    database: Database, *, forgets: bool
) -> None:
    """As where a session takes part in the transaction of somebody else."""

    async def scenario() -> None:
        async with engine_of(database) as engine, engine.connect() as connection:
            transaction = await connection.begin()
            async with AsyncSession(connection) as session:
                await save(session, EDIT)
                recording = outbox.record_async(session, EDIT)
                if not forgets:
                    await recording
            with pytest.raises(PromiseNotAwaited) if forgets else nullcontext():
                await transaction.commit()

    asyncio.run(scenario())

    assert (saved(database), promised(database)) == (([], []) if forgets else ([EDIT.page], [EDIT]))


def test_a_block_that_ends_without_the_await_is_rolled_back(database: Database) -> None:
    async def scenario() -> None:
        async with engine_of(database) as engine, AsyncSession(engine) as session, session.begin():
            await save(session, EDIT)
            outbox.record_async(session, EDIT)  # type: ignore[unused-coroutine]  # the mistake

    with pytest.raises(PromiseNotAwaited):
        asyncio.run(scenario())

    assert saved(database) == []


def test_a_scoped_session_stands_for_the_session_of_its_scope(database: Database) -> None:
    async def scenario() -> None:
        async with engine_of(database) as engine:
            scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)
            await outbox.record_async(scoped, EDIT)
            await scoped.commit()
            await scoped.remove()

    asyncio.run(scenario())

    assert promised(database) == [EDIT]


@pytest.mark.parametrize(
    ("function", "way_out"),
    [
        (lambda session: outbox.record(session, EDIT), "write: await outbox.record_async(session, edit)"),
        (lambda session: save_edit(session, EDIT), "write: await session.run_sync("),
        (lambda session: outbox.record_payloads(session, outbox.EDITS, ["{}"]), "write: await session.run_sync("),
        (lambda session: outbox.settle(session, outbox.EDITS, {}), "outbox.settle(session, ...))"),
    ],
)
def test_what_is_synchronous_refuses_it_by_the_name_of_what_is_not(
    function: Callable[[Any], None], way_out: str, through: Through, database: Database
) -> None:
    async def scenario(handed: Handed) -> None:
        with pytest.raises(TypeError) as refusal:
            function(handed)
        assert f"not sqlalchemy.ext.asyncio.{'session' if isinstance(handed, AsyncSession) else 'engine'}.Async" in str(
            refusal.value
        )
        assert way_out in str(refusal.value)
        await handed.commit()

    through(scenario)

    assert promised(database) == []


def test_what_is_synchronous_runs_within_it_all_the_same(through: Through, database: Database) -> None:
    async def scenario(handed: Handed) -> None:
        await handed.run_sync(outbox.record, EDIT)
        await handed.commit()

    through(scenario)

    assert promised(database) == [EDIT]


def test_a_connection_that_is_not_open_says_so(database: Database) -> None:
    async def scenario() -> None:
        async with engine_of(database) as engine:
            with pytest.raises(Exception, match="has not been started"):
                await outbox.record_async(engine.connect(), EDIT)

    asyncio.run(scenario())


def test_as_many_transactions_as_one_likes_go_through_one_session(database: Database) -> None:
    revisions = count(1)

    async def scenario() -> None:
        async with engine_of(database) as engine, AsyncSession(engine) as session:
            for _ in range(3):
                async with session.begin():
                    await outbox.record_async(session, an_edit(revision=next(revisions)))

    asyncio.run(scenario())

    assert [edit.revision for edit in promised(database)] == [1, 2, 3]
