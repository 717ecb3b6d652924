"""The side channel of the emulated endpoint: settings, log and totals; and its start and end."""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.emulators.conversations import refusal_of
from tests.emulators.scoring.asking import DAMAGING, ENDLESS, LATENCY_MS, in_flight, let_go, summary, with_endpoint
from tests.patience import PATIENCE_SECONDS
from worker.emulators.scoring.endpoint import EmulatorSettings, serve


def test_settings_are_merged_and_null_restores_a_default() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.patch("/_emulator/settings", json={"seed": 3, "failures": {"rate": 0.5}})
        changed = (await client.patch("/_emulator/settings", json={"failures": {"retry_after": "7"}})).json()
        assert changed["failures"] == {"rate": 0.5, "status": 503, "retry_after": "7"}
        await client.patch("/_emulator/settings", json={"failures": None})
        settings = (await client.get("/_emulator/settings")).json()
        assert settings["failures"]["rate"] == 0
        assert settings["seed"] == 3

    with_endpoint(conversation)


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ('{"latency": 5}', "latency"),
        ('{"failures": {"rate": 2}}', "failures.rate"),
        ('{"versions": {"beauty": "1"}}', "beauty"),
        ('{"version_mix": {"beauty": {"1": 1}}}', "beauty"),
        ('{"version_mix": {"damaging": {"1": 0}}}', "version_mix.damaging.1"),
        ('{"version_mix": {"damaging": {"1": Infinity}}}', "version_mix.damaging.1"),
        ('{"version_mix": {"damaging": {}}}', "version_mix.damaging"),
        ('{"vanished_models": ["beauty"]}', "beauty"),
        ('{"throttle": {"requests_per_second": 0}}', "throttle.requests_per_second"),
        ('{"throttle": {"burst": 0}}', "throttle.burst"),
        ('{"throttle": {"retry_after": "1\\n"}}', "throttle.retry_after"),
        ('{"capacity": -1}', "capacity"),
        ("[]", "JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(patch: str, named: str) -> None:
    with_endpoint(refusal_of(patch, named))


def test_the_log_tells_what_was_asked_when_and_with_what_outcome() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.get("/v3/scores/enwiki")
        await client.get("/v3/scores/enwiki?models=damaging|goodfaith&revids=1|2")
        await client.post(DAMAGING, json={})
        info, scored, refused = (await client.get("/_emulator/calls")).json()["calls"]
        assert [info["kind"], scored["kind"], refused["kind"]] == ["info", "ores", "liftwing"]
        assert [info["sequence"], scored["sequence"], refused["sequence"]] == [1, 2, 3]
        assert (scored["wiki"], scored["models"], scored["revisions"]) == ("enwiki", ["damaging", "goodfaith"], [1, 2])
        assert (scored["status"], scored["scores"], refused["status"], refused["scores"]) == (200, 4, 400, 0)
        assert scored["end"] - scored["start"] >= LATENCY_MS / 1000 * 0.9
        assert scored["end_monotonic"] - scored["start_monotonic"] >= LATENCY_MS / 1000 * 0.9
        assert (await client.get("/_emulator/calls?since=2")).json()["calls"] == [refused]

    with_endpoint(conversation, EmulatorSettings(latency_ms=LATENCY_MS))


def test_the_totals_outlive_the_calls_that_are_kept() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        for revision in (1, 2, 3, 3):
            await client.get(f"/v3/scores/enwiki/{revision}/damaging")
        await client.get("/v3/scores")
        assert len((await client.get("/_emulator/calls")).json()["calls"]) == 2
        totals = await summary(client)
        assert (totals["calls"], totals["scores"], totals["distinct_scores"], totals["info_calls"]) == (4, 4, 3, 1)
        assert totals["cpu_seconds"] > 0

    with_endpoint(conversation, kept_calls=2)


def test_only_a_score_asked_for_while_the_same_one_is_in_flight_is_an_overlap() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        at_once = asyncio.gather(
            client.get("/v3/scores/enwiki?models=damaging&revids=1|2"),
            client.post(DAMAGING, json={"rev_id": 2}),
            client.post("/v1/models/enwiki-goodfaith:predict", json={"rev_id": 2}),
        )
        await in_flight(client, 3)
        await let_go(client)
        await at_once
        await client.post(DAMAGING, json={"rev_id": 2})
        totals = await summary(client)
        assert (totals["overlaps"], totals["peak_concurrency"], totals["in_flight"]) == (1, 3, 0)

    with_endpoint(conversation, EmulatorSettings(troubles=ENDLESS))


def test_a_reset_forgets_calls_and_totals_and_calls_under_way_are_still_in_flight() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post(DAMAGING, json={"rev_id": 1})
        await client.patch("/_emulator/settings", json={"troubles": ENDLESS})
        under_way = asyncio.create_task(client.post(DAMAGING, json={"rev_id": 2}))
        await in_flight(client, 1)
        assert (await client.delete("/_emulator/calls")).status_code == 204
        totals = await summary(client)
        assert (totals["calls"], totals["distinct_scores"], totals["in_flight"]) == (0, 0, 1)
        await let_go(client)
        await under_way
        totals = await summary(client)
        assert (totals["calls"], totals["in_flight"]) == (0, 0)

    with_endpoint(conversation)


def test_the_log_file_is_appended_to_and_complete_when_the_calls_are_read(tmp_path: Path) -> None:
    path = tmp_path / "calls.ndjson"
    path.write_text('{"earlier":true}\n')

    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post(DAMAGING, json={"rev_id": 1})
        calls = (await client.get("/_emulator/calls")).json()["calls"]
        assert [json.loads(line) for line in path.read_text().splitlines()] == [{"earlier": True}, *calls]
        await client.post(DAMAGING, json={"rev_id": 2})

    with_endpoint(conversation, log_path=path)
    assert json.loads(path.read_text().splitlines()[-1])["revisions"] == [2]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_serving_tells_its_port_and_ends_at_a_signal(signal_number: int) -> None:
    ports: list[int] = []

    def ready(port: int) -> None:
        ports.append(port)
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS).close()
        os.kill(os.getpid(), signal_number)

    serve("127.0.0.1", 0, EmulatorSettings(), None, ready)
    assert ports[0] > 0


def test_a_port_in_use_raises_an_operating_system_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        serve("127.0.0.1", taken.getsockname()[1], EmulatorSettings(), None)
