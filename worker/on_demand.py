"""Asking for scores from outside of a worker. The task's id is the score id, so that all who ask for one share it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kombu.exceptions import KombuError
from redis import RedisError

from worker.app import QUEUE_OF, SCORE, send_score
from worker.bootstrap import Services
from worker.errors import Overloaded, RedisUnavailable
from worker.scores import Answer, NoAnswer, ScoreId
from worker.scoring.flight import RESULT_PREFIX, decode_result, is_answer

#: Between two looks at scores that are being computed.
LOOK_SECONDS = 0.1


def request_scores(
    services: Services, ids: Sequence[ScoreId], *, send: Callable[[str], object] = send_score
) -> dict[ScoreId, Answer]:
    """Ask for *ids*; returns the answers that were there already, and calls *send* for each of the others.

    Cached answers are served however long the queue is; ORES refused those too.
    Source: wikimedia/ores ores/scoring_systems/celery_queue.py @ 8369ea0.

    Raises:
        Overloaded: the other requests would make the queue longer than `queue_maxsize`; none of them was sent.
        RedisUnavailable: there is no way to ask.
    """
    with _needing_redis():
        there = answers_of(services, ids)
        missing = [score_id for score_id in dict.fromkeys(ids) if score_id not in there]
        waiting = services.redis.llen(QUEUE_OF[SCORE]) if missing else 0
        most = services.settings.queue_maxsize
        if missing and waiting + len(missing) > most:
            raise Overloaded(
                f"overloaded: {waiting} requests are waiting and {most} may; ask again later, or raise queue_maxsize"
            )
        for score_id in missing:
            send(str(score_id))
    return there


def answers_of(services: Services, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
    """The answers that Redis has for *ids*, final errors included: one round trip.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    if not ids:
        return {}
    with _needing_redis():
        results = services.redis.mget([f"{RESULT_PREFIX}{score_id}" for score_id in ids])
    return {
        score_id: decode_result(result)
        for score_id, result in zip(ids, results, strict=True)
        if isinstance(result, bytes) and is_answer(result)
    }


def wait_for_scores(services: Services, ids: Sequence[ScoreId], seconds: float) -> dict[ScoreId, Answer]:
    """Wait for the answers to *ids*; what has none after *seconds* gets a `NoAnswer`."""
    deadline = time.monotonic() + seconds
    found = answers_of(services, ids)
    while len(found) < len(set(ids)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        found |= answers_of(services, [score_id for score_id in ids if score_id not in found])
    late = NoAnswer(f"no answer within {seconds:g} s; a worker must consume the queue {QUEUE_OF[SCORE]!r}")
    return {score_id: found.get(score_id, late) for score_id in ids}


@contextmanager
def _needing_redis() -> Iterator[None]:
    try:
        yield
    except (RedisError, KombuError) as error:
        raise RedisUnavailable(
            f"Redis does not answer at redis_url: {error}; start it, or correct redis_url"
        ) from error
