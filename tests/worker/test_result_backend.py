"""Score id, Celery task id and result key are one string, so any Celery application reads our scores."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from celery import Celery
from celery.backends.redis import RedisBackend
from celery.result import AsyncResult
from redis import Redis

from tests.builders import a_score, a_score_error
from tests.patience import PATIENCE_SECONDS
from tests.worker.flights import CountingEndpoint, a_flight, a_redis_tier
from worker.config.settings_sections import FlightSettings
from worker.domain.errors import EndpointUnavailable, ScoreRefused
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, ScoreId
from worker.flight.flight import Flight
from worker.flight.tiers import Lifetimes

SCORE_ID = "enwiki:damaging:745065890:0.5.1"


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    """An application that has nothing of ours but the result backend."""
    with Celery(
        "somebody_else", set_as_current=False, result_backend=f"worker.flight.result_backend:ScoreBackend+{redis_url}"
    ) as app:
        yield app
        backend = cast("RedisBackend", app.backend)
        backend.result_consumer.stop()  # type: ignore[attr-defined]
        backend.client.close()


def fly(redis: Redis, answer: CountingEndpoint) -> None:
    asyncio.run(a_flight(redis).scores([ScoreId.parse(SCORE_ID)], answer))


def test_a_score_is_the_result_of_the_task_of_its_id(redis: Redis, app: Celery) -> None:
    fly(redis, CountingEndpoint())

    result: AsyncResult[dict[str, Any]] = AsyncResult(SCORE_ID, app=app)

    assert result.status == "SUCCESS"
    assert result.get(timeout=PATIENCE_SECONDS) == a_score().model_dump(mode="json", exclude_none=True)


def test_a_final_error_is_the_failure_of_the_task_of_its_id(redis: Redis, app: Celery) -> None:
    fly(redis, CountingEndpoint(lambda _: a_score_error(model="damaging", message="gone")))

    with pytest.raises(ScoreRefused, match=f"^{SCORE_ID}: RevisionNotFound: gone$"):
        AsyncResult(SCORE_ID, app=app).get(timeout=PATIENCE_SECONDS)


def test_a_failure_is_the_failure_of_the_task_for_those_who_wait_for_it(redis: Redis, app: Celery) -> None:
    fly(redis, CountingEndpoint(lambda _: NoAnswer("down", Failure.OUTAGE)))
    # However long it takes us to look.
    redis.persist(f"ores:{SCORE_ID}")

    with pytest.raises(EndpointUnavailable, match=f"^{SCORE_ID}: down$"):
        AsyncResult(SCORE_ID, app=app).get(timeout=PATIENCE_SECONDS)


def test_a_failure_is_forgotten_within_seconds(redis: Redis) -> None:
    as_long_as_by_default = a_redis_tier(redis, Lifetimes(lease=35, result=3600, error=300))
    flight = Flight([as_long_as_by_default], FlightSettings())
    down = CountingEndpoint(lambda _: NoAnswer("down", Failure.OUTAGE))
    asyncio.run(flight.scores([ScoreId.parse(SCORE_ID)], down))

    assert 0 < redis.pttl(f"ores:{SCORE_ID}") <= 5_000


def test_the_key_is_the_one_that_ores_has(redis: Redis) -> None:
    fly(redis, CountingEndpoint())

    assert redis.keys() == [b"ores:enwiki:damaging:745065890:0.5.1"]


def test_a_result_is_json(redis: Redis) -> None:
    fly(redis, CountingEndpoint())

    result = json.loads(redis.get(f"ores:{SCORE_ID}") or b"")

    assert result["task_id"] == SCORE_ID
    assert result["status"] == "SUCCESS"


# Celery 5.7 still says SETEX, of which redis-py 8 warns.
@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_a_result_that_celery_stored_is_taken_for_no_score(redis: Redis, app: Celery) -> None:
    app.backend.store_result(SCORE_ID, RuntimeError("the worker was out of memory"), "FAILURE")
    endpoint = CountingEndpoint()

    fly(redis, endpoint)

    assert endpoint.asked.total() == 1
    assert AsyncResult(SCORE_ID, app=app).status == "SUCCESS"


def test_what_celery_reports_of_a_task_replaces_no_answer_of_ours(redis: Redis, app: Celery) -> None:
    fly(redis, CountingEndpoint(lambda _: a_score_error(model="damaging", message="gone")))
    before = redis.get(f"ores:{SCORE_ID}")

    app.backend.store_result(SCORE_ID, ScoreRefused("gone"), "FAILURE")

    assert redis.get(f"ores:{SCORE_ID}") == before
