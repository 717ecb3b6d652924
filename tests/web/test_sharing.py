"""However many ask at once, each score costs one call; who comes late attaches to those who were there."""

import asyncio
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.web.conftest import OpenFront
from tests.web.documents import score, scores
from tests.web.fronts import Front
from tests.worker.lines import drain, save
from worker.domain.scores import Score, ScoreId
from worker.flight.door import Door
from worker.flight.redis_tier import lease_key, result_key
from worker.flight.results import encode_result

TWENTY = "|".join(map(str, range(1, 21)))


def test_many_requests_for_the_same_scores_cost_one_call_for_each(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(latency_ms=100)

    replies = front.at_once([f"/v3/scores/enwiki/?models=damaging&revids={TWENTY}"] * 100)

    assert {reply.status_code for reply in replies} == {200}
    assert all(reply.json()["enwiki"]["scores"] == scores(*range(1, 21), models=("damaging",)) for reply in replies)
    assert endpoint.summary()["scores"] == 20
    assert [name for name, _ in front.workers.sent] == ["scores"]


def test_a_single_score_is_the_task_of_its_id_and_several_are_one_task(front: Front) -> None:
    front.workers.sent.clear()
    front.json("/v3/scores/enwiki/1/damaging")
    front.json("/v3/scores/enwiki/?models=damaging&revids=2|3")

    assert front.workers.sent == [
        ("score", ("enwiki:damaging:1:0.5.1",)),
        ("scores", ("enwiki", ("enwiki:damaging:2:0.5.1", "enwiki:damaging:3:0.5.1"))),
    ]


def test_who_wants_one_of_many_attaches_to_those_who_asked_for_all(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(latency_ms=100)
    front.at_once([f"/v3/scores/enwiki/?models=damaging&revids={TWENTY}", "/v3/scores/enwiki/7/damaging"])

    assert endpoint.summary()["scores"] == 20


def test_only_what_is_missing_is_asked_for(front: Front, endpoint: EmulatedEndpoint) -> None:
    front.json("/v3/scores/enwiki/7/damaging")
    front.json("/v3/scores/enwiki/?models=damaging&revids=7|8")

    assert front.workers.sent[-1] == ("score", ("enwiki:damaging:8:0.5.1",))
    assert endpoint.summary()["scores"] == 2


def test_an_edit_that_was_drained_costs_no_task_and_no_call(front: Front, endpoint: EmulatedEndpoint) -> None:
    services = front.workers.services
    save(services.wiki("enwiki").database, edits(3))
    drain(services)
    calls = endpoint.summary()["calls"]

    assert front.json("/v3/scores/enwiki/?revids=1|2|3")["enwiki"]["scores"] == scores(1, 2, 3)
    assert endpoint.summary()["calls"] == calls
    assert front.workers.sent == []


def test_two_front_doors_share_their_calls(open_front: OpenFront, endpoint: EmulatedEndpoint) -> None:
    one, other = open_front(), open_front()
    endpoint.set(latency_ms=300)

    path = "/v3/scores/enwiki/1/damaging"

    async def first() -> None:
        task = asyncio.create_task(one.http.get(path))
        await one.workers.until_sent("score")
        task.cancel()

    one.run(first())
    assert other.json(path)["enwiki"]["scores"] == scores(1, models=("damaging",))
    assert endpoint.summary()["scores"] == 1


def test_a_client_that_goes_away_leaves_the_call_to_the_others(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(latency_ms=200)
    path = "/v3/scores/enwiki/1/damaging"

    async def work() -> object:
        gone = asyncio.create_task(front.http.get(path))
        await front.workers.until_sent("score")
        stays = asyncio.create_task(front.http.get(path))
        gone.cancel()
        return (await stays).json()["enwiki"]["scores"]

    assert front.run(work()) == scores(1, models=("damaging",))
    assert endpoint.summary()["scores"] == 1
    assert front.workers.tasks("score") == 1


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/1/damaging", "/v3/scores/enwiki/?models=damaging&revids=1|2"])
def test_a_client_that_goes_away_before_the_workers_were_asked_takes_nothing_from_the_next(
    front: Front, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    step: Any = Door._is_full

    async def work() -> httpx.Response:
        came, may_go_on = asyncio.Event(), asyncio.Event()

        async def later(door: Door) -> bool:
            came.set()
            await may_go_on.wait()
            is_full: bool = await step(door)
            return is_full

        monkeypatch.setattr(Door, "_is_full", later)
        gone = asyncio.create_task(front.http.get(path))
        await came.wait()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        may_go_on.set()
        return await front.http.get(path)

    assert "score" in front.run(work()).json()["enwiki"]["scores"]["1"]["damaging"]


def test_clients_that_go_away_in_the_middle_mix_up_nobodys_answers(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(latency_ms=30)

    async def work() -> list[object]:
        asked = {each: asyncio.create_task(front.http.get(f"/v3/scores/enwiki/{each}/damaging")) for each in range(80)}
        for number, task in asked.items():
            if number % 2:
                await asyncio.sleep(0.001 * (number % 5))
                task.cancel()
        left = [number for number in asked if number % 2 == 0]
        replies = await asyncio.gather(*(asked[number] for number in left))
        return [reply.json()["enwiki"]["scores"] for reply in replies]

    # Revision 0 is none.
    assert front.run(work())[1:] == [scores(each, models=("damaging",)) for each in range(2, 80, 2)]


def test_a_score_that_somebody_else_computes_is_waited_for_and_not_called(front: Front, redis: Redis) -> None:
    wanted = ScoreId("enwiki", "damaging", 1, "0.5.1")
    redis.set(lease_key(wanted), "token of somebody", px=60_000)

    async def work() -> object:
        asked = asyncio.create_task(front.http.get("/v3/scores/enwiki/1/damaging"))
        await front.workers.until_sent("score")
        await asyncio.to_thread(answer, redis, wanted)
        return (await asked).json()["enwiki"]["scores"]

    assert front.run(work()) == scores(1, models=("damaging",))


def answer(redis: Redis, wanted: ScoreId) -> None:
    """As whoever holds the lease does it."""
    given = score("damaging", wanted.revision)
    says = str(given["prediction"]).lower()
    kept = Score(model="damaging", version=wanted.version, prediction=says, probability=given["probability"])
    redis.set(result_key(wanted), encode_result(wanted, kept))
    redis.publish(lease_key(wanted), "")
