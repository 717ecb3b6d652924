"""The tier that is used while Redis is gone: leases and answers in a table of the wiki's own database.

Slower than Redis and without hints, but shared by all workers of the wiki, so each score is still asked for once.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Row, delete, exists, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from outbox.columns import BY_KEY, database_now
from outbox.database import Database
from outbox.errors import OutboxError
from outbox.inserting import insert_if_missing
from worker.domain.json_text import to_json
from worker.domain.scores import Answer, Final, ScoreId
from worker.flight.entries import FlightEntry
from worker.flight.results import decode_answer, encode_answer
from worker.flight.tables import score_flight
from worker.flight.tiers import Acquired, End, Lifetimes, Listen, TierUnavailable

Result = TypeVar("Result")

#: Seconds between two looks for another holder's answer: there are no hints here.
LOOK_AGAIN_SECONDS = 0.3
#: How many rows are deleted at once.
MOST_TIDIED = 1_000
#: Tries: a row may be deleted after we saw it and before we lock it, but hardly twice in a row.
TRIES = 3

_INSERT_IF_MISSING = insert_if_missing(score_flight)
_COLUMNS = [column.name for column in score_flight.columns if not column.primary_key]


def _overwrite_on_mariadb() -> Insert:
    statement = mysql.insert(score_flight)
    return statement.on_duplicate_key_update({name: statement.inserted[name] for name in _COLUMNS})


def _overwrite_on_sqlite() -> Insert:
    statement = sqlite.insert(score_flight)
    values = {name: statement.excluded[name] for name in _COLUMNS}
    return statement.on_conflict_do_update(index_elements=["score_id"], set_=values)


#: An INSERT, since the driver sends any number of rows in one, but needs an UPDATE for each row.
_OVERWRITE = {"mysql": _overwrite_on_mariadb(), "mariadb": _overwrite_on_mariadb(), "sqlite": _overwrite_on_sqlite()}


class DatabaseTier:
    """Leases and answers in `score_flight`, by the database's clock."""

    def __init__(self, database: Database, lifetimes: Lifetimes) -> None:
        self._database = database
        self._lifetimes = lifetimes

    def acquire(self, ids: Sequence[ScoreId], token: str, waited_for: Mapping[ScoreId, str]) -> Acquired:
        def work(entries: list[FlightEntry], now: float) -> Acquired:
            acquired = Acquired()
            for entry in entries:
                entry.acquire(acquired, token, waited_for.get(entry.score_id), self._lifetimes, now)
            return acquired

        return self._change(ids, work)

    def renew(self, ids: Collection[ScoreId], token: str) -> None:
        def work(entries: list[FlightEntry], now: float) -> None:
            for entry in entries:
                entry.renew(token, self._lifetimes, now)

        self._change(ids, work)

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        def work(entries: list[FlightEntry], now: float) -> dict[ScoreId, Answer]:
            standing = {}
            for entry in entries:
                if entry.score_id in answers:
                    standing[entry.score_id] = entry.end(answers[entry.score_id], token, self._lifetimes, now)
                entry.release(token)
            return standing

        return self._change(dict.fromkeys([*ids, *answers]), work)

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        query = select(score_flight, database_now().label("now")).where(score_flight.c.score_id.in_(_keys(ids)))
        with _translated_errors(), self._database.reading() as connection:
            rows = connection.execute(query).all()
        seen = {entry.score_id: entry.end_seen(now) for entry, now in map(_entry_and_now, rows)}
        return {score_id: end for score_id, end in seen.items() if end is not None}

    @contextlib.asynccontextmanager
    async def listening(self, ids: Collection[ScoreId]) -> AsyncIterator[Listen]:  # noqa: ARG002 - the protocol's
        async def listen(seconds: float) -> None:
            pause = LOOK_AGAIN_SECONDS * (0.5 + random.random())  # noqa: S311 - only spreads the looks
            await asyncio.sleep(min(seconds, pause))

        yield listen

    def _change(self, ids: Iterable[ScoreId], work: Callable[[list[FlightEntry], float], Result]) -> Result:
        """Let *work* change the entries of *ids* while their rows are locked; writes back what it changed."""
        keys = _keys(ids)

        def locked(connection: Connection) -> Result:
            rows = _locked_rows(connection, keys)
            if len(rows) < len(keys):
                raise _RowsMissing
            entries, now = [_entry(row) for row in rows], _seconds(rows[0].now) if rows else 0.0
            before = [_values(entry) for entry in entries]
            result = work(entries, now)
            changed = [
                {"score_id": str(entry.score_id)} | after
                for entry, values in zip(entries, before, strict=True)
                if (after := _values(entry)) != values
            ]
            if changed:
                connection.execute(_OVERWRITE[connection.dialect.name], changed)
            return result

        with _translated_errors():
            for _ in range(TRIES):
                self._add_missing(keys)
                with contextlib.suppress(_RowsMissing):
                    return self._database.run(locked)
        raise TierUnavailable("the rows of some scores can't be made")

    def _add_missing(self, keys: Sequence[str]) -> None:
        # In a transaction of its own: inserting a row that exists already keeps a lock, and two workers that then write
        # such rows would wait for each other.
        with self._database.reading() as connection:
            query = select(score_flight.c.score_id).where(score_flight.c.score_id.in_(keys))
            there = set(connection.execute(query).scalars())
            # Asked before, since the driver sends rows one by one if there is an expression among their values.
            runs_out = connection.execute(select(database_now(timedelta(seconds=self._lifetimes.lease)))).scalar_one()
        missing = [{"score_id": key, "runs_out": runs_out} for key in keys if key not in there]
        if missing:
            self._database.run(lambda connection: connection.execute(_INSERT_IF_MISSING, missing))


#: Whether there is anything for `tidy` to delete.
OUTDATED = exists(select(score_flight.c.score_id).where(score_flight.c.runs_out < database_now()))


class _RowsMissing(Exception):
    """A row that was there a moment ago was deleted."""


def tidy(database: Database) -> int:
    """Delete rows that have run out, at most `MOST_TIDIED`; returns how many.

    Raises:
        OutboxError: the database does not answer.
    """
    runs_out = score_flight.c.runs_out
    query = select(score_flight.c.score_id).where(runs_out < database_now()).order_by(runs_out).limit(MOST_TIDIED)
    with database.reading() as connection:
        keys = list(connection.execute(query).scalars())
    if keys:
        # A row that is in use again stays.
        gone = delete(score_flight).where(score_flight.c.score_id.in_(keys), runs_out < database_now())
        database.run(lambda connection: connection.execute(gone, execution_options=BY_KEY))
    return len(keys)


def _locked_rows(connection: Connection, keys: Sequence[str]) -> Sequence[Row[Any]]:
    query = select(score_flight, database_now().label("now")).where(score_flight.c.score_id.in_(keys))
    return connection.execute(query.order_by(score_flight.c.score_id).with_for_update()).all()


def _keys(ids: Iterable[ScoreId]) -> list[str]:
    return sorted(str(score_id) for score_id in ids)


def _entry_and_now(row: Row[Any]) -> tuple[FlightEntry, float]:
    return _entry(row), _seconds(row.now)


def _entry(row: Row[Any]) -> FlightEntry:
    return FlightEntry(
        score_id=ScoreId.parse(row.score_id),
        token=row.token,
        leased_until=_seconds(row.leased_until),
        answer=_answer(row.answer) if row.answer else None,
        answer_until=_seconds(row.answer_until),
        handed_over=decode_answer(json.loads(row.handed_over)) if row.handed_over else None,
        handed_over_by=row.handed_over_by,
        handed_over_until=_seconds(row.handed_over_until),
    )


def _values(entry: FlightEntry) -> dict[str, Any]:
    return {
        "token": entry.token,
        "leased_until": _moment(entry.leased_until),
        "answer": to_json(encode_answer(entry.answer)) if entry.answer else None,
        "answer_until": _moment(entry.answer_until),
        "handed_over": to_json(encode_answer(entry.handed_over)) if entry.handed_over else None,
        "handed_over_by": entry.handed_over_by,
        "handed_over_until": _moment(entry.handed_over_until),
        "runs_out": _moment(entry.runs_out) or datetime(1970, 1, 1),  # noqa: DTZ001 - UTC, as all moments in tables
    }


def _answer(document: str) -> Final:
    answer = decode_answer(json.loads(document))
    assert isinstance(answer, Final)  # noqa: S101 - nothing else is written there
    return answer


def _seconds(moment: datetime | None) -> float:
    return moment.replace(tzinfo=UTC).timestamp() if moment else 0.0


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds else None


@contextlib.contextmanager
def _translated_errors() -> Any:
    try:
        yield
    except (OutboxError, SQLAlchemyError) as error:
        raise TierUnavailable(str(error)) from error
