"""A flight over a given Redis, and an endpoint that only counts who asks it for what."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.builders import a_score
from tests.patience import PATIENCE_SECONDS
from worker.config.settings_sections import FlightSettings
from worker.demo.processes import free_port
from worker.domain.scores import Answer, Hear, ScoreId, unheard
from worker.flight.flight import Flight
from worker.flight.redis_tier import RedisTier
from worker.flight.tiers import Lifetimes

#: Those who waited come and look within this time, however slow the machine is.
HANDOVER_SECONDS = 100
LIFETIMES = Lifetimes(lease=35, result=3600, error=300, handover=HANDOVER_SECONDS)


def some_ids(count: int, *, version: str = "0.5.1") -> list[ScoreId]:
    return [ScoreId("enwiki", "damaging", revision, version) for revision in range(1, count + 1)]


def a_redis_tier(redis: Redis, lifetimes: Lifetimes = LIFETIMES) -> RedisTier:
    at = redis.connection_pool.connection_kwargs
    # Its own time-outs are five seconds, which a busy loop may need before it sees a reply.
    silence: dict[str, Any] = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    connect = partial(AsyncRedis, host=at.get("host", "localhost"), port=at["port"], **silence)
    return RedisTier(redis, connect, lifetimes)


def lifetimes_of(settings: FlightSettings) -> Lifetimes:
    return Lifetimes(
        lease=settings.lease_seconds,
        result=settings.result_ttl_seconds,
        error=settings.error_ttl_seconds,
        handover=HANDOVER_SECONDS,
    )


def a_flight(redis: Redis, **settings: Any) -> Flight:
    """A flight of a process of its own: it shares nothing with others but the Redis."""
    flight = FlightSettings(**settings)
    return Flight([a_redis_tier(redis, lifetimes_of(flight))], flight)


def no_redis() -> Redis:
    """A Redis at a port where nobody listens."""
    return Redis(port=free_port(), retry=Retry(NoBackoff(), 0), socket_connect_timeout=1)


class CountingEndpoint:
    """Answers each id after a moment, and counts how often it was asked for it."""

    def __init__(self, answer: Callable[[ScoreId], Answer] | None = None, *, seconds: float = 0) -> None:
        self.asked: Counter[ScoreId] = Counter()
        self._answer = answer or (lambda score_id: a_score(version=score_id.version))
        self._seconds = seconds

    async def __call__(self, ids: Sequence[ScoreId], _: Hear = unheard) -> dict[ScoreId, Answer]:
        self.asked.update(ids)
        await asyncio.sleep(self._seconds)
        return {score_id: self._answer(score_id) for score_id in ids}
