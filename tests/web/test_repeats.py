"""Who asks the same as somebody a moment ago gets the same reply, for a second and no longer."""

from typing import Any

import pytest
from redis import Redis
from starlette.responses import Response
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.endpoint import EmulatedEndpoint
from tests.web.conftest import OpenFront
from tests.web.documents import scores
from tests.web.fronts import Front
from worker.web.questions import Question
from worker.web.repeats import MOST_REPEATED, REPEATED_SECONDS, Repeats
from worker.web.scoring import Scored

PATH = "/v3/scores/enwiki/1/damaging"
CACHED = Scored(question=Question("enwiki", ("damaging",), (1,)), versions={}, is_cached=True)


def a_scope(path: str = PATH, query: bytes = b"", method: str = "GET") -> dict[str, Any]:
    return {"path": path, "query_string": query, "method": method}


def looks(redis: Redis) -> int:
    """How often Redis was looked at."""
    return int(redis.info("commandstats").get("cmdstat_mget", {}).get("calls", 0))


def test_the_same_question_costs_one_look(front: Front, redis: Redis) -> None:
    front.json(PATH)
    first = front.get(PATH)
    before = looks(redis)
    again = [front.get(PATH) for _ in range(5)]

    assert looks(redis) == before
    assert {(reply.text, tuple(reply.headers.multi_items())) for reply in again} == {
        (first.text, tuple(first.headers.multi_items()))
    }
    assert first.json()["enwiki"]["scores"] == scores(1, models=("damaging",))


def test_a_slash_at_the_end_makes_no_other_question(front: Front, redis: Redis) -> None:
    front.json(PATH)
    front.json(PATH)
    before = looks(redis)

    assert front.json(f"{PATH}/") == front.json(PATH)
    assert looks(redis) == before


@pytest.mark.parametrize("query", ["?format=json", "?callback=done", "?models=damaging"])
def test_another_question_is_looked_up_by_itself(front: Front, redis: Redis, query: str) -> None:
    front.json(PATH)
    front.json(PATH)
    before = looks(redis)
    front.get(PATH + query)

    assert looks(redis) == before + 1


def test_an_error_is_not_repeated(open_front: OpenFront, endpoint: EmulatedEndpoint) -> None:
    front = open_front(web={"timeout_seconds": 3})
    endpoint.set(failures={"rate": 1, "status": 500})
    assert front.json(PATH)["enwiki"]["scores"]["1"]["damaging"].keys() == {"error"}
    endpoint.set(failures=None)

    assert front.json(PATH)["enwiki"]["scores"] == scores(1, models=("damaging",))


def test_a_repeated_reply_is_counted_as_any_other(front: Front) -> None:
    for _ in range(5):
        front.json(PATH)
    with capture_logs() as lines:
        front.application.desk.counts.tell()

    (line,) = lines
    assert (line["scores_request"], line["response_200"], line["score_cache_hit"]) == (5, 5, 4)


def test_a_reply_is_repeated_for_a_second_only() -> None:
    repeats = Repeats(clock := Clock())
    repeats.keep(a_scope(), Response(b"reply"), CACHED)

    assert repeats.find(a_scope()) is not None
    clock.now += REPEATED_SECONDS
    assert repeats.find(a_scope()) is None


@pytest.mark.parametrize(
    "other", [a_scope("/v3/scores/enwiki/2/damaging"), a_scope(query=b"features"), a_scope(method="HEAD")]
)
def test_only_what_is_the_same_to_the_letter_is_repeated(other: dict[str, Any]) -> None:
    repeats = Repeats()
    repeats.keep(a_scope(), Response(b"reply"), CACHED)

    assert repeats.find(other) is None


@pytest.mark.parametrize(
    ("scope", "scored"),
    [
        (a_scope(method="POST"), CACHED),
        (a_scope(), Scored(question=CACHED.question, versions={})),
    ],
)
def test_what_was_posted_or_not_cached_is_not_kept(scope: dict[str, Any], scored: Scored) -> None:
    repeats = Repeats()
    repeats.keep(scope, Response(b"reply"), scored)

    assert repeats.find(a_scope()) is None


def test_no_more_than_so_many_replies_are_kept() -> None:
    repeats = Repeats(clock := Clock())
    for number in range(3 * MOST_REPEATED):
        clock.now += REPEATED_SECONDS / MOST_REPEATED / 2
        repeats.keep(a_scope(query=str(number).encode()), Response(b"reply"), CACHED)

    assert len(repeats) <= MOST_REPEATED
    assert repeats.find(a_scope(query=str(3 * MOST_REPEATED - 1).encode())) is not None
