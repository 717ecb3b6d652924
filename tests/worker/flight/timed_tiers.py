"""Each tier in surroundings of its own: time passes when the test says so, and all that was kept can be cleared."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from redis import Redis
from sqlalchemy import bindparam, select, update

from outbox.database import Database
from tests.worker.flights import a_redis_tier
from worker.flight.database_tier import DatabaseTier, tidy
from worker.flight.process_tier import ProcessTier
from worker.flight.tables import score_flight
from worker.flight.tiers import Lifetimes, Tier

#: No sum of hundreds of seconds comes near the end of any of these, so the few real seconds of a test do not matter.
LIFETIMES = Lifetimes(lease=1_050, result=20_050, error=5_050, handover=450)

_MOMENTS = ("leased_until", "answer_until", "handed_over_until", "runs_out")


class TimedTier(Protocol):
    """A tier and its time."""

    @property
    def tier(self) -> Tier: ...

    def advance(self, seconds: float) -> None: ...

    def tidy(self) -> None:
        """Throw away what has run out, as it is done now and then."""

    def clear(self) -> None: ...


class ProcessTimedTier:
    """The process tier with a clock of its own."""

    def __init__(self) -> None:
        self.clear()

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def tidy(self) -> None:
        """The tier does it by itself."""

    def clear(self) -> None:
        self._now = 1_000.0
        self.tier = ProcessTier(LIFETIMES, clock=lambda: self._now)


class RedisTimedTier:
    """A real Redis, whose keys age at once."""

    def __init__(self, redis: Redis) -> None:
        self.tier = a_redis_tier(redis, LIFETIMES)
        self._redis = redis

    def advance(self, seconds: float) -> None:
        keys: Any = self._redis.keys()
        for key in keys:
            left: Any = self._redis.pttl(key)
            assert left > 0, f"{key} would stay for ever"
            # Deletes the key if nothing is left.
            self._redis.pexpire(key, left - round(seconds * 1000))

    def tidy(self) -> None:
        """Redis does it by itself."""

    def clear(self) -> None:
        self._redis.flushdb()


class DatabaseTimedTier:
    """A real database, whose rows age at once."""

    def __init__(self, database: Database) -> None:
        self.tier = DatabaseTier(database, LIFETIMES)
        self._database = database

    def advance(self, seconds: float) -> None:
        age(self._database, seconds)

    def tidy(self) -> None:
        tidy(self._database)

    def clear(self) -> None:
        with self._database.transaction() as session:
            session.execute(score_flight.delete())


def age(database: Database, seconds: float) -> None:
    """Move all moments of `score_flight` into the past."""
    older = update(score_flight).where(score_flight.c.score_id == bindparam("key"))
    with database.transaction() as session:
        rows = session.execute(select(score_flight)).mappings().all()
        changes = [{"key": row["score_id"]} | {name: _earlier(row[name], seconds) for name in _MOMENTS} for row in rows]
        if changes:
            session.execute(older.values({name: bindparam(name) for name in _MOMENTS}), changes)


def _earlier(moment: datetime | None, seconds: float) -> datetime | None:
    return moment and moment - timedelta(seconds=seconds)
