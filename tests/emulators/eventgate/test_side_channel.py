"""The side channel of the emulated EventGate: settings, what was taken, totals; and how it is started."""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.emulators.conversations import refusal_of
from tests.emulators.eventgate.asking import (
    SCORE,
    a_prediction_event,
    a_score_event,
    post,
    summary,
    taken,
    with_eventgate,
)
from tests.eventgate import EmulatedEventGate
from tests.patience import PATIENCE_SECONDS
from worker.cli.main import app
from worker.emulators.eventgate.endpoint import EventGateSettings, serve


def test_settings_are_merged_and_null_restores_a_default() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        patch = {"refuse": {"every_nth": 3}, "streams": {"a": "b", "c": "d"}}
        await client.patch("/_emulator/settings", json=patch)
        changed = (
            await client.patch("/_emulator/settings", json={"refuse": {"rate": 0.5}, "streams": {"a": None}})
        ).json()
        assert (changed["refuse"], changed["streams"]) == ({"every_nth": 3, "rate": 0.5}, {"c": "d"})
        restored = (await client.patch("/_emulator/settings", json={"refuse": None, "streams": None})).json()
        assert restored == (await client.get("/_emulator/settings")).json()
        assert restored == EventGateSettings().model_dump(mode="json")

    with_eventgate(conversation)


def test_deleting_the_settings_brings_back_those_of_the_start() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.patch("/_emulator/settings", json={"error_rate": 1, "max_body_size": 2})
        settings = (await client.delete("/_emulator/settings")).json()
        assert (settings["error_rate"], settings["max_body_size"]) == (0, 1000)
        assert (await post(client, a_score_event())).status_code == 201

    with_eventgate(conversation, EventGateSettings(max_body_size=1000))


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ('{"latency": 5}', "latency"),
        ('{"failures": {"rate": 2}}', "failures.rate"),
        ('{"failures": {"status": 200}}', "failures.status"),
        ('{"refuse": {"every_nth": 0}}', "refuse.every_nth"),
        ('{"error_rate": -1}', "error_rate"),
        ('{"late": {"ms": Infinity}}', "late.ms"),
        ('{"close_before": "often"}', "close_before"),
        ('{"close_mid_reply": 1.1}', "close_mid_reply"),
        ('{"max_body_size": 0}', "max_body_size"),
        ('{"streams": {"a": 7}}', "streams.a"),
        ("7", "JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(patch: str, named: str) -> None:
    with_eventgate(refusal_of(patch, named))


def test_events_are_listed_by_stream() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        score, prediction = a_score_event("1"), a_prediction_event()
        await post(client, score, prediction)
        found = await client.get("/_emulator/events", params={"stream": "mediawiki.revision-score"})
        assert found.json() == {"events": [score]}
        assert await taken(client) == [score, prediction]
        assert (await summary(client))["streams"] == {score["meta"]["stream"]: 1, prediction["meta"]["stream"]: 1}

    with_eventgate(conversation)


def test_ids_that_come_again_are_counted() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await post(client, a_score_event("1"), a_score_event("2"), a_score_event("1"))
        await post(client, a_score_event("1"), a_score_event(meta={"stream": "s"}))
        assert (await client.get("/_emulator/ids")).json() == {"ids": {"1": 3, "2": 1}}
        totals = await summary(client)
        assert (totals["accepted"], totals["distinct_ids"], totals["duplicates"]) == (5, 2, 2)

    with_eventgate(conversation)


def test_the_totals_tell_what_became_of_requests_and_events() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        good, bad, unknown = a_score_event("1"), a_score_event("2", rev_id="x"), {"$schema": "/unknown"}
        await post(client, good)
        await post(client, good, bad, unknown)
        await post(client)
        totals = await summary(client)
        assert {name: totals[name] for name in ("requests", "events", "accepted", "invalid", "errors")} == {
            "requests": 3,
            "events": 4,
            "accepted": 2,
            "invalid": 1,
            "errors": 1,
        }
        assert totals["statuses"] == {"201": 1, "207": 1, "400": 1}
        assert totals["bytes"] == len(json.dumps([good])) + len(json.dumps([good, bad, unknown])) + 2

    with_eventgate(conversation)


def test_each_request_is_noted_with_who_sent_what() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        headers = {"User-Agent": "tests", "Content-Type": "application/json"}
        await client.post("/v1/events?hasty=1", content=json.dumps(a_score_event()), headers=headers)
        (noted,) = (await client.get("/_emulator/posts")).json()["posts"]
        assert (noted["user_agent"], noted["content_type"]) == ("tests", "application/json")
        assert (noted["status"], noted["hasty"], noted["events"], noted["accepted"]) == (202, True, 1, 1)
        assert (noted["sequence"], noted["faults"]) == (1, [])
        assert noted["end_monotonic"] - noted["start_monotonic"] >= 0.045
        assert noted["end"] >= noted["start"]

    with_eventgate(conversation, EventGateSettings(latency_ms=50))


def test_the_peak_is_the_most_requests_at_once() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        under_way = [asyncio.create_task(post(client, a_score_event(str(number)))) for number in range(3)]
        while (await summary(client))["in_flight"] < len(under_way):  # noqa: ASYNC110 - in another process, as it were
            await asyncio.sleep(0.01)
        await client.patch("/_emulator/settings", json={"latency_ms": 0})
        for number in range(3, 5):
            await post(client, a_score_event(str(number)))
        totals = await summary(client)
        assert (totals["peak_concurrency"], totals["in_flight"]) == (4, 3)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    with_eventgate(conversation, EventGateSettings(latency_ms=3_600_000))


def test_a_reset_forgets_what_was_taken_and_all_totals() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        fresh = await summary(client)
        await post(client, a_score_event(), a_score_event(rev_id="x"))
        assert (await client.delete("/_emulator/events")).status_code == 204
        assert await taken(client) == []
        assert (await client.get("/_emulator/posts")).json() == {"posts": []}
        assert (await client.get("/_emulator/ids")).json() == {"ids": {}}
        assert await summary(client) == fresh

    with_eventgate(conversation)


def test_a_request_that_was_under_way_at_the_reset_is_nothing_of_what_came_after_it() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        fresh = await summary(client)
        under_way = asyncio.create_task(post(client, a_score_event()))
        while (await summary(client))["in_flight"] == 0:
            if under_way.done():
                # It was seen by nobody.
                under_way = asyncio.create_task(post(client, a_score_event()))
            await asyncio.sleep(0.01)
        await client.delete("/_emulator/events")
        await under_way
        assert await taken(client) == []
        assert await summary(client) == fresh | {"peak_concurrency": 1}

    with_eventgate(conversation, EventGateSettings(latency_ms=1000))


def test_the_totals_outlive_the_events_that_are_kept() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        for number in range(4):
            await post(client, a_score_event(str(number)))
        assert [event["meta"]["id"] for event in await taken(client)] == ["2", "3"]
        assert len((await client.get("/_emulator/posts")).json()["posts"]) == 2
        totals = await summary(client)
        assert (totals["requests"], totals["distinct_ids"]) == (4, 4)

    with_eventgate(conversation, kept=2)


def test_the_file_is_appended_to_and_has_the_events_once_they_are_answered(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"earlier":true}\n')

    async def conversation(client: httpx.AsyncClient) -> None:
        await post(client, a_score_event("1"), a_score_event(rev_id="x"), a_score_event("2"))
        await client.delete("/_emulator/events")
        assert [json.loads(line) for line in path.read_text().splitlines()] == [
            {"earlier": True},
            a_score_event("1"),
            a_score_event("2"),
        ]

    with_eventgate(conversation, file=path)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_serving_tells_its_port_and_ends_at_a_signal(signal_number: int) -> None:
    ports: list[int] = []

    def ready(port: int) -> None:
        ports.append(port)
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS).close()
        os.kill(os.getpid(), signal_number)

    serve("127.0.0.1", 0, EventGateSettings(), None, ready)
    assert ports[0] > 0


@pytest.mark.parametrize("service", ["scoring", "eventgate"])
def test_a_port_in_use_ends_the_command_with_a_sentence(service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        ended = CliRunner().invoke(app, ["emulate", service, "--port", str(port)])
    assert ended.exit_code == 1
    assert f"can't listen on 127.0.0.1:{port}: " in ended.stderr
    assert "choose another with --port" in ended.stderr


@pytest.mark.parametrize(("service", "option"), [("scoring", "--log"), ("eventgate", "--file")])
def test_a_file_that_can_not_be_written_ends_the_command_with_a_sentence(
    service: str, option: str, tmp_path: Path
) -> None:
    path = tmp_path / "missing" / "lines.ndjson"
    ended = CliRunner().invoke(app, ["emulate", service, "--port", "0", option, str(path)])
    assert ended.exit_code == 1
    assert ended.stderr == f"outpatrol: can't write {path}: No such file or directory\n"


def test_the_help_has_an_example() -> None:
    ended = CliRunner().invoke(app, ["emulate", "eventgate", "--help"])
    assert ended.exit_code == 0
    assert "outpatrol emulate eventgate" in ended.output.partition("Example:")[2]


def test_the_command_serves_and_a_test_can_speak_to_it(eventgate: EmulatedEventGate) -> None:
    eventgate.set(refuse={"every_nth": 2})
    httpx.post(
        eventgate.events_url,
        json=[a_score_event("1"), a_score_event("2"), a_score_event("1")],
        timeout=PATIENCE_SECONDS,
    )
    assert [event["$schema"] for event in eventgate.events("mediawiki.revision-score")] == [SCORE, SCORE]
    assert (eventgate.events("other"), eventgate.ids()) == ([], {"1": 2})
    assert (eventgate.summary()["invalid"], eventgate.posts()[0]["status"]) == (1, 207)


def test_each_test_finds_the_eventgate_as_it_was_started(eventgate: EmulatedEventGate) -> None:
    eventgate.set(error_rate=1)
    httpx.post(eventgate.events_url, json=a_score_event(), timeout=PATIENCE_SECONDS)
    eventgate.reset()
    assert (eventgate.posts(), eventgate.ids()) == ([], {})
    assert httpx.post(eventgate.events_url, json=a_score_event(), timeout=PATIENCE_SECONDS).status_code == 201
