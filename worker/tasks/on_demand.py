"""Asking for scores from outside a worker. The task's id is the score id, so that all who ask for a score share it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from kombu.exceptions import KombuError
from redis import RedisError

from worker.app import send_score
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.domain.errors import Overloaded, RedisUnavailable
from worker.domain.failures import Failure
from worker.domain.redis_refusals import cure, is_refusal, said
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.flight import Flight
from worker.flight.tiers import TierUnavailable
from worker.lanes.rings import QUEUE_OF, SCORE


@dataclass(frozen=True, slots=True)
class Requested:
    """The state of scores that were asked for."""

    #: Scores that were cached before.
    answers: dict[ScoreId, Answer]
    #: Scores that workers were asked for.
    missing: list[ScoreId]
    #: Holders whose failures are older than this request.
    stale: frozenset[str]


def request_scores(
    services: Services, wiki: Wiki, ids: Sequence[ScoreId], *, send: Callable[[str], object] = send_score
) -> Requested:
    """Ask for *ids* of *wiki*: calls *send* for each that has no answer yet.

    Cached answers are served however long the queue is, while ORES refused these requests, too.
    Source: wikimedia/ores ores/scoring_systems/celery_queue.py @ 8369ea0.

    Raises:
        Overloaded: the other requests would make the queue longer than `queue_maxsize`; none of them was sent.
        RedisUnavailable: Redis can't be asked.
    """
    with _needing_redis():
        ends = services.flights[wiki.id].ends(ids)
        there = {score_id: end.answer for score_id, end in ends.items() if end.holder is None}
        missing = [score_id for score_id in dict.fromkeys(ids) if score_id not in there]
        waiting = services.redis.llen(services.settings.redis_prefix + QUEUE_OF[SCORE]) if missing else 0
        most = services.settings.queue_maxsize
        if missing and waiting + len(missing) > most:
            raise Overloaded(
                f"overloaded: {waiting} requests wait, and at most {most} may; ask again later, or raise queue_maxsize"
            )
        for score_id in missing:
            send(str(score_id))
    return Requested(there, missing, frozenset(end.holder for end in ends.values() if end.holder))


async def wait_for_scores(flight: Flight, requested: Requested, seconds: float) -> dict[ScoreId, Answer]:
    """Wait for the answers to what was *requested*, failures included; a late one is replaced by a `NoAnswer`."""
    found = dict(requested.answers)
    if requested.missing:
        with _needing_redis():
            found |= await flight.awaited(requested.missing, seconds, stale=requested.stale)
    late = f"no answer within {seconds:g} s; start a worker that takes tasks from the queue {QUEUE_OF[SCORE]!r}"
    return dict.fromkeys(requested.missing, NoAnswer(late, Failure.ELSEWHERE)) | found


@contextmanager
def _needing_redis() -> Iterator[None]:
    try:
        yield
    except (RedisError, KombuError, TierUnavailable) as error:
        does = "refuses to serve" if is_refusal(error) else "does not answer"
        raise RedisUnavailable(f"Redis {does} at redis_url: {said(error)}; {cure(error)}") from error
