"""Requests for scores from outside of a worker: cached ones are served, new ones queued, too many refused."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from tests.builders import a_score, some_settings
from worker.bootstrap import Services, build_services
from worker.demo.processes import free_port
from worker.domain.errors import Overloaded, RedisUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.redis_tier import result_key
from worker.flight.results import encode_result
from worker.lanes.rings import QUEUE_OF, SCORE
from worker.tasks.on_demand import Requested, request_scores, wait_for_scores

Request = Callable[[Sequence[ScoreId]], Requested]

FIRST, SECOND = (ScoreId("enwiki", "damaging", revision, "0.5.1") for revision in (1, 2))


@pytest.fixture
def services(redis: Redis, redis_url: str) -> Iterator[Services]:
    """Room for two requests; no worker is there to take any."""
    with closing(build_services(some_settings(redis_url=redis_url, queue_maxsize=2))) as services:
        yield services


@pytest.fixture
def request_them(services: Services, redis: Redis) -> Request:
    """`request_scores` with the broker's part played here: a message is a value in the queue's list."""

    def send(score_id: str) -> None:
        redis.lpush(QUEUE_OF[SCORE], score_id)

    return partial(request_scores, services, services.wiki("enwiki"), send=send)


def queued(redis: Redis) -> int:
    return int(redis.llen(QUEUE_OF[SCORE]))


def cache(redis: Redis, score_id: ScoreId) -> None:
    redis.set(result_key(score_id), encode_result(score_id, a_score()))


def test_a_request_is_queued_once_for_each_score(request_them: Request, redis: Redis) -> None:
    assert request_them([FIRST, SECOND, FIRST]).missing == [FIRST, SECOND]
    assert queued(redis) == 2


def test_a_cached_score_is_served_and_queues_nothing(request_them: Request, redis: Redis) -> None:
    cache(redis, FIRST)

    assert request_them([FIRST]).answers == {FIRST: a_score()}
    assert queued(redis) == 0


def test_past_the_longest_queue_a_new_request_is_refused_whole(request_them: Request, redis: Redis) -> None:
    request_them([FIRST])
    more = [ScoreId("enwiki", "damaging", revision, "0.5.1") for revision in (3, 4)]

    with pytest.raises(Overloaded, match="1 requests wait, and at most 2 may"):
        request_them(more)

    assert queued(redis) == 1


def test_cached_scores_are_served_however_long_the_queue_is(request_them: Request, redis: Redis) -> None:
    request_them([ScoreId("enwiki", "damaging", revision, "0.5.1") for revision in (3, 4)])
    cache(redis, FIRST)

    assert request_them([FIRST]).answers == {FIRST: a_score()}


def wait(services: Services, requested: Requested, seconds: float) -> dict[ScoreId, Answer]:
    return services.runner.run(wait_for_scores(services.flights["enwiki"], requested, seconds))


def test_a_wait_ends_when_the_score_is_there(request_them: Request, services: Services, redis: Redis) -> None:
    requested = request_them([FIRST])
    cache(redis, FIRST)

    assert wait(services, requested, 60) == {FIRST: a_score()}


def test_a_wait_ends_when_the_holder_fails(request_them: Request, services: Services, redis: Redis) -> None:
    requested, failed = request_them([FIRST]), NoAnswer("down", Failure.OUTAGE)
    redis.set(result_key(FIRST), encode_result(FIRST, failed, holder="somebody"))

    assert wait(services, requested, 60) == {FIRST: failed}


def test_a_failure_from_before_the_request_does_not_end_its_wait(
    request_them: Request, services: Services, redis: Redis
) -> None:
    redis.set(result_key(FIRST), encode_result(FIRST, NoAnswer("down", Failure.OUTAGE), holder="somebody"))
    requested = request_them([FIRST])

    (answer,) = wait(services, requested, 0).values()

    assert "start a worker that takes tasks from the queue 'outpatrol-score'" in str(answer)


def test_a_wait_in_vain_says_what_is_needed(request_them: Request, services: Services) -> None:
    (answer,) = wait(services, request_them([FIRST]), 0).values()

    assert isinstance(answer, NoAnswer)
    assert "start a worker that takes tasks from the queue 'outpatrol-score'" in answer.error


def test_without_redis_there_is_no_way_to_ask(tmp_path: Path) -> None:
    settings = some_settings(
        database_url=f"sqlite:///{tmp_path}/enwiki.db", redis_url=f"redis://127.0.0.1:{free_port()}/0"
    )

    with closing(build_services(settings)) as services, pytest.raises(RedisUnavailable, match="correct redis_url"):
        request_scores(services, services.wiki("enwiki"), [FIRST])
