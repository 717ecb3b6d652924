"""Calls that the emulated endpoint fails because it is told to, or turns away because they are too many."""

import httpx
import pytest

from tests.emulators.scoring.asking import (
    DAMAGING,
    ENDLESS_MS,
    call_logged_for,
    calls,
    endless_calls,
    instances,
    reply_to,
    server,
    summary,
    with_endpoint,
)
from worker.emulators.scoring.behaviour import TokenBucket
from worker.emulators.scoring.endpoint import EmulatorSettings
from worker.emulators.scoring.settings import Throttle

ORES = "/v3/scores/enwiki/1/damaging"
#: So slow that a second token is never there in time.
RARELY = 0.001


def throttled(**more: object) -> EmulatorSettings:
    """Settings that let one call in."""
    return EmulatorSettings.model_validate({"throttle": {"requests_per_second": RARELY, **more}})


async def statuses(client: httpx.AsyncClient, count: int) -> list[int]:
    """The statuses of *count* calls, one after the other."""
    return [(await client.post(DAMAGING, json={"rev_id": revision})).status_code for revision in range(count)]


def test_the_same_seed_fails_the_same_calls_with_the_set_status_and_retry_after() -> None:
    runs: list[list[int]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        replies = [await client.post(DAMAGING, json={"rev_id": revision}) for revision in range(40)]
        runs.append([reply.status_code for reply in replies])
        failed = next(reply for reply in replies if reply.status_code != 200)
        assert failed.headers["Retry-After"] == "2"
        assert (await summary(client))["failures"] == runs[-1].count(429)

    settings = EmulatorSettings.model_validate({"failures": {"rate": 0.3, "status": 429, "retry_after": "2"}})
    with_endpoint(conversation, settings)
    with_endpoint(conversation, settings)
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 429}


def test_a_failed_ores_call_has_the_error_code_of_ores() -> None:
    settings = EmulatorSettings.model_validate({"failures": {"rate": 1}})
    reply = reply_to("/v3/scores/enwiki/1", settings=settings)
    assert reply.status_code == 503
    assert reply.json()["error"]["code"] == "server overloaded"


def test_a_failed_lift_wing_call_is_an_error() -> None:
    reply = reply_to(DAMAGING, {"rev_id": 1}, EmulatorSettings.model_validate({"failures": {"rate": 1}}))
    assert reply.status_code == 503
    assert isinstance(reply.json()["error"], str)


def test_a_failure_that_was_set_is_no_throttling() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        assert await statuses(client, 1) == [429]
        totals = await summary(client)
        assert (totals["failures"], totals["throttled"], totals["over_capacity"]) == (1, 0, 0)

    with_endpoint(conversation, EmulatorSettings.model_validate({"failures": {"rate": 1, "status": 429}}))


def test_a_bucket_lets_a_burst_in_and_then_the_rate() -> None:
    bucket = TokenBucket(Throttle(requests_per_second=2, burst=3))
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(100.0 + each / 4) for each in range(1, 9)] == [False, True] * 4


def test_a_bucket_holds_no_more_than_the_burst() -> None:
    bucket = TokenBucket(Throttle(requests_per_second=2, burst=3))
    bucket.take(100.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_a_caller_that_keeps_to_the_rate_is_always_let_in() -> None:
    bucket = TokenBucket(Throttle(requests_per_second=3))
    assert all(bucket.take(100.0 + each / 3) for each in range(100))


def test_calls_beyond_the_rate_are_throttled() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        assert await statuses(client, 4) == [200, 200, 429, 429]
        assert (await summary(client))["throttled"] == 2

    with_endpoint(conversation, throttled(burst=2))


def test_ores_says_too_many_requests_in_its_own_words() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.get(ORES)
        reply = await client.get(ORES)
        assert reply.status_code == 429
        assert reply.json()["error"]["code"] == "too_many_requests"

    with_endpoint(conversation, throttled())


@pytest.mark.parametrize(
    ("path", "body"), [(DAMAGING, {"rev_id": 1}), (server("revertrisk-language-agnostic"), instances(1))]
)
def test_lift_wing_says_too_many_requests_as_an_error(path: str, body: object) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post(path, json=body)
        reply = await client.post(path, json=body)
        assert reply.status_code == 429
        assert list(reply.json()) == ["error"]

    with_endpoint(conversation, throttled())


@pytest.mark.parametrize(
    ("setting", "header"),
    [({}, "1"), ({"retry_after": "7"}, "7"), ({"retry_after": None}, None), ({"retry_after": ""}, None)],
)
def test_a_throttled_call_is_told_when_to_come_back(setting: dict[str, object], header: str | None) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.get(ORES)
        assert (await client.get(ORES)).headers.get("Retry-After") == header

    with_endpoint(conversation, throttled(**setting))


def test_a_throttled_call_does_not_wait() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with endless_calls(client, 1):
            assert (await client.get(ORES)).status_code == 429

    with_endpoint(conversation, throttled().model_copy(update={"latency_ms": ENDLESS_MS}))


def test_model_information_and_mistakes_are_not_throttled() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            assert (await client.get("/v3/scores/enwiki")).status_code == 200
            assert (await client.post(DAMAGING, json={})).status_code == 400
        assert (await client.get(ORES)).status_code == 200

    with_endpoint(conversation, throttled())


def test_a_changed_throttle_begins_with_a_full_bucket_and_another_setting_does_not_fill_it() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        assert await statuses(client, 2) == [200, 429]
        await client.patch("/_emulator/settings", json={"latency_ms": 1})
        assert await statuses(client, 1) == [429]
        await client.patch("/_emulator/settings", json={"throttle": {"burst": 2}})
        assert await statuses(client, 3) == [200, 200, 429]
        await client.patch("/_emulator/settings", json={"throttle": None})
        assert await statuses(client, 5) == [200] * 5

    with_endpoint(conversation, throttled())


@pytest.mark.parametrize(("path", "body"), [(ORES, None), (DAMAGING, {"rev_id": 1})])
def test_a_call_beyond_the_capacity_is_refused_at_once(path: str, body: object) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with endless_calls(client, 1, 2):
            refused = await client.request("GET" if body is None else "POST", path, json=body)
            assert (refused.status_code, refused.headers.get("Retry-After")) == (503, None)

    with_endpoint(conversation, EmulatorSettings(capacity=2, latency_ms=ENDLESS_MS))


def test_ores_without_capacity_says_it_is_overloaded() -> None:
    reply = reply_to(ORES, settings=EmulatorSettings(capacity=0))
    assert reply.json()["error"]["code"] == "server overloaded"


def test_capacity_is_there_again_when_a_call_has_ended() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        assert await statuses(client, 3) == [200] * 3

    with_endpoint(conversation, EmulatorSettings(capacity=1))


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [({"throttle": {"requests_per_second": RARELY}}, 429, "throttled"), ({"capacity": 1}, 503, "over_capacity")],
)
def test_a_refused_call_is_logged_but_no_score_of_it_was_ever_in_flight(
    settings: dict[str, object], status: int, reason: str
) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with endless_calls(client, 1):
            for revision in (1, 2):
                await client.get(f"/v3/scores/enwiki/{revision}/damaging")
            logged = await calls(client)
            totals = await summary(client)
        assert [(call["status"], call["refused"], call["revisions"], call["scores"]) for call in logged] == [
            (status, reason, [1], 0),
            (status, reason, [2], 0),
        ]
        expected = {"throttled": 0, "over_capacity": 0, reason: 2, "calls": 2, "failures": 2, "scores": 0}
        expected |= {"distinct_scores": 1, "overlaps": 0, "in_flight": 1, "peak_concurrency": 1}
        assert {name: totals[name] for name in expected} == expected

    with_endpoint(conversation, EmulatorSettings.model_validate({"latency_ms": ENDLESS_MS, **settings}))


def test_an_answered_call_is_logged_as_not_refused() -> None:
    assert call_logged_for(ORES)["refused"] is None


def test_a_refused_call_does_not_move_the_failures_to_other_calls() -> None:
    failures = {"rate": 0.5, "status": 500}

    async def conversation(client: httpx.AsyncClient) -> None:
        free = await statuses(client, 12)
        await client.patch("/_emulator/settings", json={"capacity": 0})
        assert await statuses(client, 5) == [503] * 5
        await client.patch("/_emulator/settings", json={"capacity": None})
        assert await statuses(client, 12) == free
        assert set(free) == {200, 500}

    with_endpoint(conversation, EmulatorSettings.model_validate({"failures": failures}))


@pytest.mark.parametrize("agent", ["", "python-requests/2.32"])
@pytest.mark.parametrize("path", ["/v3/scores/enwiki/1/damaging", "/v3/scores/enwiki"])
def test_who_does_not_say_who_it_is_or_is_set_off_is_refused_in_a_text(agent: str, path: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.get(path, headers={"User-Agent": agent})
        assert (reply.status_code, reply.headers["Content-Type"].split(";")[0]) == (403, "text/plain")
        assert "user-agent" in reply.text
        assert (await client.get(path)).status_code == 200

    with_endpoint(conversation, EmulatorSettings(refused_agents=("python-requests/",)))
