"""What the emulated EventGate does wrong because it is told to."""

import asyncio

import httpx
import pytest

from tests.emulators.eventgate.asking import a_score_event, post, reply_to, summary, taken, with_eventgate
from tests.patience import PATIENCE_SECONDS
from worker.emulators.eventgate.endpoint import EventGateSettings
from worker.emulators.eventgate.faults import Faults

#: Longer than any test.
ENDLESS_MS = 3_600_000
EVENTS = [a_score_event(str(number)) for number in range(40)]


def set_to(**settings: object) -> EventGateSettings:
    return EventGateSettings.model_validate(settings)


async def totals_where(client: httpx.AsyncClient, name: str, value: object) -> dict[str, object]:
    """The totals, once that of *name* is *value*."""
    while (totals := await summary(client))[name] != value:
        pass
    return totals


def statuses_of(settings: EventGateSettings) -> list[int]:
    """The statuses of forty requests with one event each, one after the other."""
    statuses: list[int] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        statuses.extend([(await post(client, event)).status_code for event in EVENTS])

    with_eventgate(conversation, settings)
    return statuses


def test_a_failure_is_what_a_proxy_says_and_nothing_is_taken() -> None:
    reply, kept = reply_to(a_score_event(), settings=set_to(failures={"rate": 1, "status": 503, "retry_after": "7"}))
    assert (reply.status_code, reply.reason_phrase) == (503, "Service Unavailable")
    assert (reply.headers["Retry-After"], reply.headers["Content-Type"]) == ("7", "text/plain; charset=utf-8")
    assert (reply.text[:8], kept) == ("upstream", [])


def test_a_failure_may_have_a_status_that_has_no_name() -> None:
    reply, _ = reply_to(a_score_event(), settings=set_to(failures={"rate": 1, "status": 599}))
    assert reply.status_code == 599


def test_the_same_seed_fails_the_same_requests() -> None:
    first = statuses_of(set_to(failures={"rate": 0.3}))
    assert set(first) == {201, 503}
    assert statuses_of(set_to(failures={"rate": 0.3})) == first
    assert statuses_of(set_to(failures={"rate": 0.3}, seed=1)) != first


def test_other_faults_move_no_failure_to_another_request() -> None:
    settings = set_to(failures={"rate": 0.3}, late={"ms": 1}, error_rate=0.5)
    alone, among_others = Faults(settings), Faults(settings)

    def next_request_fails() -> bool:
        among_others.latency_seconds()
        among_others.strikes("late")
        among_others.judged(a_score_event(meta={"stream": "s"}))
        return among_others.strikes("failures")

    assert [next_request_fails() for _ in range(40)] == [alone.strikes("failures") for _ in range(40)]


def test_every_nth_event_is_refused_over_all_requests() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        first = await post(client, *EVENTS[:4])
        second = await post(client, *EVENTS[4:7])
        assert (first.status_code, second.status_code) == (207, 207)
        assert [entry["event"] for entry in first.json()["invalid"]] == [EVENTS[2]]
        assert [entry["event"] for entry in second.json()["invalid"]] == [EVENTS[5]]
        assert await taken(client) == [EVENTS[number] for number in (0, 1, 3, 4, 6)]

    with_eventgate(conversation, set_to(refuse={"every_nth": 3}))


def test_a_refused_event_looks_like_an_invalid_one() -> None:
    reply, _ = reply_to(a_score_event(), settings=set_to(refuse={"rate": 1}))
    entry = reply.json()["invalid"][0]
    assert (reply.status_code, entry["status"], set(entry["context"])) == (400, "invalid", {"errors", "errorsText"})
    assert set(entry["context"]["errors"][0]) == {"keyword", "dataPath", "schemaPath", "params", "message"}


def test_an_event_refused_by_rate_is_refused_each_time_it_comes() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        first = (await post(client, *EVENTS)).json()["invalid"]
        again = (await post(client, *EVENTS[::-1])).json()["invalid"][::-1]
        assert 0 < len(first) < len(EVENTS)
        assert again == first

    with_eventgate(conversation, set_to(refuse={"rate": 0.3}))


def test_events_without_an_id_are_refused_by_rate_too() -> None:
    event = a_score_event(meta={"stream": "s"})
    reply, kept = reply_to(*[event] * 40, settings=set_to(refuse={"rate": 0.5}))
    assert reply.status_code == 207
    assert 0 < len(kept) < 40


def test_an_event_in_error_may_be_taken_the_next_time() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        failed = [entry["event"] for entry in (await post(client, *EVENTS)).json()["error"]]
        assert 0 < len(failed) < len(EVENTS)
        reply = await post(client, *failed)
        assert len(reply.json()["error"]) < len(failed)

    with_eventgate(conversation, set_to(error_rate=0.5))


def test_an_error_tells_no_more_than_a_message() -> None:
    reply, kept = reply_to(a_score_event(), settings=set_to(error_rate=1))
    entry = reply.json()["error"][0]
    assert (reply.status_code, reply.json()["invalid"], kept) == (500, [], [])
    assert (entry["status"], entry["event"], set(entry["context"])) == ("error", a_score_event(), {"message"})


def test_a_connection_closed_before_takes_nothing() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await post(client, a_score_event())
        totals = await totals_where(client, "requests", 1)
        assert (totals["accepted"], totals["faults"], totals["statuses"]) == (0, {"close_before": 1}, {})

    with_eventgate(conversation, set_to(close_before=1))


def test_a_connection_closed_within_the_reply_has_taken_the_events() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await post(client, a_score_event())
        totals = await totals_where(client, "requests", 1)
        assert (totals["accepted"], totals["faults"], totals["statuses"]) == (1, {"close_mid_reply": 1}, {})

    with_eventgate(conversation, set_to(close_mid_reply=1))


def test_a_reply_with_a_body_is_closed_after_half_the_body() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        body = b""
        with pytest.raises(httpx.RemoteProtocolError, match="complete message"):  # noqa: PT012
            async with client.stream("POST", "/v1/events", json=[a_score_event(), {}]) as reply:
                assert reply.status_code == 207
                async for part in reply.aiter_raw():
                    body += part
        assert body.startswith(b'{"invalid":[],"error":[{"status":"error"')
        assert len(body) == int(reply.headers["Content-Length"]) // 2

    with_eventgate(conversation, set_to(close_mid_reply=1))


def test_a_late_answer_comes_after_the_events_are_taken() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        waiting = asyncio.create_task(post(client, a_score_event()))
        totals = await totals_where(client, "accepted", 1)
        assert (totals["in_flight"], totals["requests"]) == (1, 0)
        waiting.cancel()

    with_eventgate(conversation, set_to(late={"ms": ENDLESS_MS}))


def test_events_are_taken_late_although_the_client_has_gone() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/v1/events", json=a_score_event(), timeout=httpx.Timeout(PATIENCE_SECONDS, read=0.02))
        assert await totals_where(client, "accepted", 1)

    with_eventgate(conversation, set_to(latency_ms=1000))


def test_only_a_share_of_the_answers_is_late() -> None:
    faults = Faults(set_to(late={"rate": 0.3, "ms": 5}))
    late = [faults.strikes("late") for _ in range(100)]
    assert 10 < sum(late) < 50


def test_nothing_is_late_by_no_time() -> None:
    assert not Faults(set_to(late={"rate": 1})).strikes("late")


def test_the_latency_jitters_within_its_bounds() -> None:
    faults = Faults(set_to(latency_ms=20, latency_jitter_ms=30))
    latencies = [faults.latency_seconds() for _ in range(200)]
    assert min(latencies) == 0
    assert 0.04 < max(latencies) <= 0.05


def test_unread_events_are_taken_whatever_they_are() -> None:
    reply, kept = reply_to({"meta": 7}, settings=set_to(checks_schemas=False))
    assert (reply.status_code, kept) == (201, [{"meta": 7}])
