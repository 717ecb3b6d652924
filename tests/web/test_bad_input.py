"""Whatever comes in and whatever hangs, there is an answer that is documented, in time, and for that wiki only."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS, until
from tests.silent_relay import silent_relay
from tests.web.conftest import OpenFront
from tests.web.documents import scores
from tests.web.fronts import Front
from worker.demo.processes import free_port
from worker.flight import door
from worker.web.handling import NOBODY_THERE

#: Where nothing comes; and where something else comes, for which the machine has to have time.
HASTY, LESS_HASTY = {"timeout_seconds": 0.5}, {"timeout_seconds": 4}
LATE = {"type": "TimeoutError", "message": "Timed out after 4 seconds."}


@pytest.mark.parametrize("path", ["/v3/precache", "/v3/scores/enwiki/"])
def test_a_body_of_ten_megabytes_is_refused(front: Front, path: str) -> None:
    reply = front.post(path, content=b"x" * 10_000_000)

    assert (reply.status_code, reply.headers["connection"]) == (413, "close")
    assert reply.json()["error"]["code"] == "bad request"


def test_a_long_body_is_refused_though_nobody_says_how_long_it_is(front: Front) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    assert front.post("/v3/precache", content=chunks()).status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(open_front: OpenFront) -> None:
    front = open_front(web={"body_seconds": 0.2})

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    reply = front.post("/v3/precache", content=chunks())

    assert (reply.status_code, reply.json()["error"]["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores/enwiki/?" + "&".join(f"a{number}=1" for number in range(600)),
        "/v3/scores/enwiki/?model_info=" + "x" * 5000,
        "/v3/scores/enwiki/" + "9" * 5000,
        "/v3/scores/enwiki/?revids=" + "9" * 5000,
    ],
)
def test_a_request_that_is_too_long_is_a_bad_request(front: Front, path: str) -> None:
    assert front.error(path)[:2] == (400, "bad request")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3/scores/%00/", 404),
        ("/v3/scores/enwiki%2F1/", 200),
        ("/v3/scores/enwiki/1/%F0%9F%92%A9", 404),
        ("/v3/scores/enwiki/?models=%FF%FE&revids=1", 404),
        ("/v3/scores/enwiki/?revids=%D9%A1", 200),
        ("/v3/scores/..%2F..%2Fetc/", 404),
    ],
)
def test_odd_characters_are_read_as_they_are(front: Front, path: str, status: int) -> None:
    assert front.get(path).status_code == status


def test_a_form_that_is_no_form_is_let_be(front: Front) -> None:
    reply = front.post("/v3/scores/enwiki/?revids=1", content=b"\x00\xff", headers={"Content-Type": "image/png"})

    assert reply.json()["enwiki"]["scores"] == scores(1)


def test_scores_that_no_worker_brings_are_errors_of_their_own(open_front: OpenFront) -> None:
    open_front().json("/v3/scores/enwiki/1/damaging")
    front = open_front(web=LESS_HASTY)
    front.workers.are_there = False

    found = front.json("/v3/scores/enwiki/?models=damaging&revids=1|2")["enwiki"]["scores"]

    assert found == {**scores(1, models=("damaging",)), "2": {"damaging": {"error": LATE}}}


def test_without_workers_the_models_of_a_wiki_are_told_without_their_versions(open_front: OpenFront) -> None:
    front = open_front(web=HASTY, knows_versions=False)
    front.workers.are_there = False

    assert front.get("/v3/scores/enwiki/").json() == {"enwiki": {"models": {"damaging": {}, "goodfaith": {}}}}


def test_an_endpoint_that_hangs_is_waited_for_no_longer_than_a_request_may_take(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    open_front().json("/v3/scores/frwiki/1/damaging")
    front = open_front(web=LESS_HASTY)
    endpoint.set(troubles=[{"latency_ms": 3_600_000}])

    late, other = front.at_once(["/v3/scores/enwiki/1/damaging", "/v3/scores/frwiki/1/damaging"])

    endpoint.set(troubles=None)
    assert late.json()["enwiki"]["scores"] == {"1": {"damaging": {"error": LATE}}}
    assert other.json()["frwiki"]["scores"].keys() == {"1"}


def test_an_endpoint_that_fails_is_an_error_of_each_score_without_its_address(
    front: Front, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures={"rate": 1, "status": 503})

    reply = front.get("/v3/scores/enwiki/1/damaging")
    error = reply.json()["enwiki"]["scores"]["1"]["damaging"]["error"]

    assert (reply.status_code, error["type"]) == (200, "RequestError")
    assert "127.0.0.1" not in reply.text


def test_an_endpoint_that_wants_to_be_asked_later_is_asked_later(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(failures={"rate": 1, "status": 429, "retry_after": "1"})

    async def work() -> object:
        asked = asyncio.create_task(front.http.get("/v3/scores/enwiki/1/damaging"))
        await asyncio.to_thread(until, lambda: endpoint.summary()["calls"] > 0, "a call")
        await asyncio.to_thread(endpoint.set, failures=None)
        return (await asked).json()["enwiki"]["scores"]

    assert front.run(work()) == scores(1, models=("damaging",))


def test_a_failure_is_not_kept(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(failures={"rate": 1, "status": 500})
    front.json("/v3/scores/enwiki/1/damaging")
    front.workers.until_idle()
    endpoint.set(failures=None)

    assert front.json("/v3/scores/enwiki/1/damaging")["enwiki"]["scores"] == scores(1, models=("damaging",))


def test_without_redis_the_door_is_overloaded_and_says_so_at_once(open_front: OpenFront) -> None:
    front = open_front(redis_url=f"redis://127.0.0.1:{free_port()}/0")

    replies = front.at_once(["/v3/scores/enwiki/1"] * 3)

    assert {(reply.status_code, reply.json()["error"]["code"]) for reply in replies} == {(503, "server overloaded")}
    assert all("redis" not in reply.text.lower() for reply in replies)
    assert {reply.headers["retry-after"] for reply in replies} == {"5"}


def test_connections_to_redis_that_fall_silent_are_given_up_and_made_anew(
    open_front: OpenFront, redis_url: str, redis: Redis
) -> None:
    with silent_relay(int(redis_url.rpartition(":")[2].partition("/")[0])) as relay:
        front = open_front(redis_url=f"redis://127.0.0.1:{relay.port}/0", redis_timeout_seconds=3)
        other = open_front()
        other.json("/v3/scores/enwiki/?models=damaging&revids=2|3|4")
        front.json("/v3/scores/enwiki/1/damaging")
        relay.silence()

        replies = front.at_once([f"/v3/scores/enwiki/{each}/damaging" for each in (2, 3, 4)] * 5)

        assert [reply.json()["enwiki"]["scores"] for reply in replies] == [
            scores(each, models=("damaging",)) for each in (2, 3, 4)
        ] * 5


@pytest.mark.parametrize("path", ["/v3/precache", "/v3/scores/enwiki/", "/v1/models/enwiki-damaging:predict"])
def test_a_client_that_goes_away_amid_its_body_made_no_bad_request(front: Front, path: str) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [],
        "client": None,
    }
    front.run(front.application(scope, receive, send))

    assert sent[0]["status"] == NOBODY_THERE


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores/enwiki/?models=damaging&model_info=type",
        "/w/enwiki/api.php?action=query&list=recentchanges&revids=1",
        "/w/enwiki/api.php?action=query&meta=ores",
    ],
)
def test_what_no_worker_looks_up_in_time_is_a_time_out(
    open_front: OpenFront, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is there already is known before the time counts.
    monkeypatch.setattr(door, "KNOWN_SECONDS", PATIENCE_SECONDS)
    front = open_front(web=HASTY)
    until(lambda: front.get("/v3/scores/enwiki/").json()["enwiki"]["models"]["damaging"] != {}, "the versions")
    front.workers.are_there = False

    assert front.error(path)[:2] == (504, "request_timeout")


def test_a_database_that_hangs_is_a_time_out_of_its_wiki_only(open_front: OpenFront, database_urls: str) -> None:
    front = open_front(web=LESS_HASTY)
    path = "/w/{wiki}/api.php?action=query&list=recentchanges&revids=1"
    with closing(sqlite3.connect(database_urls.removeprefix("sqlite:///").format(wiki="enwiki"))) as locked:
        locked.execute("BEGIN EXCLUSIVE")
        late, other, scored = front.at_once(
            [path.format(wiki="enwiki"), path.format(wiki="frwiki"), "/v3/scores/enwiki/1/damaging"]
        )
        locked.rollback()

    assert [reply.status_code for reply in (late, other, scored)] == [504, 200, 200]
