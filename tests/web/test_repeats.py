"""Who asks the same as somebody a moment ago gets the same reply, for a second and no longer."""

from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.endpoint import EmulatedEndpoint
from tests.web.conftest import OpenFront
from tests.web.documents import scores
from tests.web.fronts import Front
from worker.web import repeats as repeats_
from worker.web.questions import Question
from worker.web.repeats import MOST_REPEATED, Repeats
from worker.web.replies import JSON, Ready

pytestmark = pytest.mark.usefixtures("known_for_long")

PATH = "/v3/scores/enwiki/1/damaging"
CACHED = Question("enwiki", ("damaging",), (1,))
READY = Ready(b"reply", JSON, 1)


def a_scope(path: str = PATH, query: bytes = b"") -> dict[str, Any]:
    return {"path": path, "query_string": query, "method": "GET"}


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


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores/enwiki/1/damaging?format=json",
        "/v3/scores/enwiki/1/damaging?callback=done",
        "/v3/scores/enwiki?models=damaging&revids=1",
        "/v2/scores/enwiki/damaging/1",
        "/scores/enwiki/damaging/1",
    ],
)
def test_a_score_that_was_given_before_costs_no_look_in_any_form(front: Front, redis: Redis, path: str) -> None:
    front.json(PATH)
    front.json(PATH)
    before = looks(redis)

    assert front.get(path).status_code == 200
    assert looks(redis) == before


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/2/damaging", "/v3/scores/enwiki/1/goodfaith", f"{PATH}?features"])
def test_another_score_is_looked_up(open_front: OpenFront, redis: Redis, path: str) -> None:
    for each in (PATH, path):
        open_front().json(each)
    front = open_front()
    front.json(PATH)
    before = looks(redis)
    front.json(path)

    assert looks(redis) == before + 1


def test_an_error_is_not_repeated(open_front: OpenFront, endpoint: EmulatedEndpoint) -> None:
    front = open_front()
    endpoint.set(failures={"rate": 1, "status": 500})
    assert front.json(PATH)["enwiki"]["scores"]["1"]["damaging"].keys() == {"error"}
    front.workers.until_idle()
    endpoint.set(failures=None)

    assert front.json(PATH)["enwiki"]["scores"] == scores(1, models=("damaging",))


def test_a_repeated_reply_is_counted_as_any_other(front: Front) -> None:
    for _ in range(5):
        front.json(PATH)
    with capture_logs() as lines:
        front.application.handling.counts.tell()

    # Of the workers, which may not be done with the first one, there may be lines as well.
    (line,) = [each for each in lines if each["event"] == "requests_answered"]
    assert (line["scores_request"], line["response_200"], line["score_cache_hit"]) == (5, 5, 4)


def test_a_reply_is_repeated_for_a_second_only() -> None:
    repeats = Repeats(clock := Clock())
    repeats.keep(a_scope(), READY, CACHED)

    assert repeats.find(a_scope()) is not None
    clock.now += repeats_.REPEATED_SECONDS
    assert repeats.find(a_scope()) is None


@pytest.mark.parametrize("other", [a_scope("/v3/scores/enwiki/2/damaging"), a_scope(query=b"features")])
def test_only_what_is_the_same_to_the_letter_is_repeated(other: dict[str, Any]) -> None:
    repeats = Repeats()
    repeats.keep(a_scope(), READY, CACHED)

    assert repeats.find(other) is None


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_only_what_is_got_is_repeated(front: Front, method: str) -> None:
    front.json(PATH)
    for _ in range(2):
        front.run(front.http.request(method, PATH))
    assert front.json(PATH)["enwiki"]["scores"] == scores(1, models=("damaging",))
    reply = front.run(front.http.request(method, PATH))

    assert (reply.status_code, bool(reply.content)) == (200, method == "POST")


def test_no_more_than_so_many_replies_are_kept() -> None:
    repeats = Repeats(clock := Clock())
    for number in range(3 * MOST_REPEATED):
        clock.now += repeats_.REPEATED_SECONDS / MOST_REPEATED / 2
        repeats.keep(a_scope(query=str(number).encode()), READY, CACHED)

    assert len(repeats) <= MOST_REPEATED
    assert repeats.find(a_scope(query=str(3 * MOST_REPEATED - 1).encode())) is not None
