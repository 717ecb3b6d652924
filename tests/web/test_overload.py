"""Too many requests: refused with the time to come again, while what is cached is served all the same."""

import pytest
from redis import Redis

from tests.web.conftest import OpenFront
from tests.web.documents import VERSION, score
from tests.web.fronts import Front
from worker.lanes.rings import QUEUE_OF, SCORE

FULL = {"type": "ScoreProcessorOverloaded", "message": "Queue size is too full.  Try again in a few minutes."}


@pytest.fixture
def front(open_front: OpenFront, redis: Redis) -> Front:
    """Room for two requests, both taken; revision 1 is cached."""
    front = open_front(queue_maxsize=2)
    front.json("/v3/scores/enwiki/1/")
    redis.lpush(QUEUE_OF[SCORE], "one", "another")
    front.workers.sent.clear()
    return front


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores/enwiki/2/",
        "/v3/scores/enwiki/2/damaging",
        "/v2/scores/enwiki/damaging/2",
        "/v1/scores/enwiki/damaging/2",
    ],
)
def test_what_is_not_cached_is_refused_with_the_time_to_come_again(front: Front, path: str) -> None:
    reply = front.get(path)

    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0
    assert reply.json()["error"]["code"] == "server overloaded"
    assert front.workers.sent == []


def test_what_is_cached_is_served(front: Front) -> None:
    assert front.get("/v3/scores/enwiki/1/").status_code == 200


def test_of_a_request_for_both_the_cached_ones_are_served_and_the_rest_are_errors(front: Front) -> None:
    reply = front.get("/v3/scores/enwiki/?models=damaging&revids=1|2")

    assert (reply.status_code, int(reply.headers["retry-after"]) > 0) == (200, True)
    assert reply.json()["enwiki"] == {
        "models": {"damaging": {"version": VERSION}},
        "scores": {"1": {"damaging": {"score": score("damaging", 1)}}, "2": {"damaging": {"error": FULL}}},
    }


def test_with_room_again_the_score_is_asked_for(front: Front, redis: Redis) -> None:
    front.get("/v3/scores/enwiki/2/damaging")
    redis.delete(QUEUE_OF[SCORE])

    assert front.get("/v3/scores/enwiki/2/damaging").status_code == 200
