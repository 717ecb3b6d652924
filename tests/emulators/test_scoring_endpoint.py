"""What the emulated scoring endpoint promises to the tests, the demo and the benchmarks that rely on it."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from worker.emulators.scoring_endpoint import EmulatorSettings, make_app, probabilities, serve

DAMAGING = "/v1/models/enwiki-damaging:predict"
REVERTRISK = "/v1/models/revertrisk-language-agnostic:predict"
LATENCY_MS = 150

Conversation = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_endpoint(
    conversation: Conversation,
    settings: EmulatorSettings | None = None,
    log_path: Path | None = None,
    kept_calls: int = 1000,
) -> None:
    """Run a conversation with a fresh endpoint on a free loopback port."""

    async def run() -> None:
        runner = web.AppRunner(make_app(settings or EmulatorSettings(), log_path, kept_calls), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        try:
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
                await conversation(client)
        finally:
            await runner.cleanup()

    asyncio.run(run())


def reply_to(path: str, body: object = None, settings: EmulatorSettings | None = None) -> httpx.Response:
    """Return the reply of a fresh endpoint to one GET, or to one POST if there is a body."""
    replies = []

    async def conversation(client: httpx.AsyncClient) -> None:
        replies.append(await (client.get(path) if body is None else client.post(path, json=body)))

    with_endpoint(conversation, settings)
    return replies[0]


async def summary(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return the totals of the endpoint."""
    totals: dict[str, Any] = (await client.get("/_emulator/summary")).json()
    return totals


def test_the_same_seed_gives_the_same_probabilities() -> None:
    first = reply_to("/v3/scores/enwiki/123", settings=EmulatorSettings(seed=7)).json()
    assert first == reply_to("/v3/scores/enwiki/123", settings=EmulatorSettings(seed=7)).json()
    assert first != reply_to("/v3/scores/enwiki/123", settings=EmulatorSettings(seed=8)).json()


def test_the_probabilities_of_every_model_sum_to_one() -> None:
    for model in ("damaging", "goodfaith", "articlequality", "draftquality", "revertrisk-multilingual"):
        assert sum(probabilities(0, "enwiki", model, 5).values()) == pytest.approx(1.0)


def test_most_edits_are_neither_damaging_nor_in_bad_faith() -> None:
    damaging = [probabilities(0, "enwiki", "damaging", revision)["true"] for revision in range(2000)]
    goodfaith = [probabilities(0, "enwiki", "goodfaith", revision)["true"] for revision in range(2000)]
    assert 0.10 < sum(each >= 0.5 for each in damaging) / 2000 < 0.22
    assert 0.78 < sum(each >= 0.5 for each in goodfaith) / 2000 < 0.90


def test_ores_scores_each_revision_with_each_model_and_agrees_with_the_oracle() -> None:
    content = reply_to("/v3/scores/dewiki/?models=damaging|articlequality&revids=11|12").json()["dewiki"]
    assert content["models"] == {"damaging": {"version": "0.5.1"}, "articlequality": {"version": "0.9.2"}}
    assert set(content["scores"]) == {"11", "12"}
    expected = probabilities(0, "dewiki", "damaging", 12)
    assert content["scores"]["12"]["damaging"]["score"] == {
        "prediction": expected["true"] >= 0.5,
        "probability": expected,
    }
    quality = content["scores"]["11"]["articlequality"]["score"]
    assert quality["prediction"] == max(quality["probability"], key=quality["probability"].get)


def test_ores_without_revisions_gives_model_versions_only() -> None:
    content = reply_to("/v3/scores/enwiki?models=goodfaith").json()
    assert content == {"enwiki": {"models": {"goodfaith": {"version": "0.5.1"}}}}


def test_ores_lists_the_models_of_the_configured_wikis() -> None:
    wikis = reply_to("/v3/scores/", settings=EmulatorSettings(wikis=("enwiki", "svwiki"))).json()
    assert set(wikis) == {"enwiki", "svwiki"}
    assert set(wikis["svwiki"]["models"]) == {"damaging", "goodfaith", "articlequality", "draftquality"}


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/5/damaging", "/v3/scores/enwiki/5/damaging/"])
def test_ores_takes_revision_and_model_from_the_path(path: str) -> None:
    assert list(reply_to(path).json()["enwiki"]["scores"]["5"]) == ["damaging"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v3/scores/enwiki?revids=" + "|".join(map(str, range(51))), 400, "bad request"),
        ("/v3/scores/enwiki?revids=1|two", 400, "bad request"),
        ("/v3/scores/enwiki?revids=1&models=beauty", 404, "not found"),
        ("/v3/scores/No-Wiki?revids=1", 404, "not found"),
    ],
)
def test_ores_refuses_what_it_cannot_score_with_its_own_error_shape(path: str, status: int, code: str) -> None:
    reply = reply_to(path)
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code
    assert reply.json()["error"]["message"]


def test_ores_tells_missing_and_broken_revisions_apart_and_scores_the_others() -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({1}), broken_revisions=frozenset({2}))
    scores = reply_to("/v3/scores/enwiki?models=damaging&revids=1|2|3", settings=settings).json()["enwiki"]["scores"]
    assert scores["1"]["damaging"]["error"]["type"] == "RevisionNotFound"
    assert scores["2"]["damaging"]["error"]["type"] == "CaughtDependencyError"
    assert "score" in scores["3"]["damaging"]


def test_a_revscoring_model_server_answers_in_the_shape_of_ores() -> None:
    assert reply_to(DAMAGING, {"rev_id": 9}).json() == reply_to("/v3/scores/enwiki/9/damaging").json()


def test_revertrisk_names_model_wiki_and_revision_beside_its_output() -> None:
    expected = probabilities(0, "zh_min_nanwiki", "revertrisk-language-agnostic", 9)
    assert reply_to(REVERTRISK, {"rev_id": 9, "lang": "zh-min-nan"}).json() == {
        "model_name": "revertrisk-language-agnostic",
        "model_version": "3",
        "wiki_db": "zh_min_nanwiki",
        "revision_id": 9,
        "output": {"prediction": expected["true"] >= 0.5, "probabilities": expected},
    }


def test_a_revertrisk_batch_gives_predictions_and_an_error_for_each_missing_revision() -> None:
    instances = [{"rev_id": revision, "lang": "en"} for revision in (1, 2, 3)]
    settings = EmulatorSettings(missing_revisions=frozenset({2}))
    reply = reply_to(REVERTRISK, {"instances": instances}, settings)
    assert [each["revision_id"] for each in reply.json()["predictions"]] == [1, 3]
    assert len(reply.json()["errors"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "envelope"),
    [
        (DAMAGING, {"rev_id": 404}, 400, "error"),
        (DAMAGING, {"rev_id": 500}, 500, "error"),
        (DAMAGING, {}, 400, "error"),
        (DAMAGING, [1], 400, "error"),
        (DAMAGING, {"rev_id": "9"}, 400, "error"),
        ("/v1/models/enwiki-beauty:predict", {"rev_id": 1}, 404, "error"),
        (REVERTRISK, {"rev_id": 404, "lang": "en"}, 422, "detail"),
        (REVERTRISK, {"rev_id": 500, "lang": "en"}, 500, "error"),
        (REVERTRISK, {"rev_id": 1}, 400, "detail"),
        (REVERTRISK, {"rev_id": 1, "lang": "enwiki"}, 400, "detail"),
        (REVERTRISK, {"instances": [{"rev_id": 1, "lang": "en"}, {"rev_id": 1, "lang": "de"}]}, 400, "detail"),
        (REVERTRISK, {"instances": [{"rev_id": each, "lang": "en"} for each in range(21)]}, 400, "detail"),
        (REVERTRISK, {"instances": []}, 400, "detail"),
    ],
)
def test_lift_wing_refuses_with_the_status_and_envelope_of_the_model_server(
    path: str, body: object, status: int, envelope: str
) -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({404}), broken_revisions=frozenset({500}))
    reply = reply_to(path, body, settings)
    assert reply.status_code == status
    assert list(reply.json()) == [envelope]


def test_a_missing_revision_is_told_with_the_words_clients_look_for() -> None:
    reply = reply_to(DAMAGING, {"rev_id": 1}, EmulatorSettings(missing_revisions=frozenset({1})))
    assert reply.json()["error"].startswith("The MW API does not have any info related to the rev-id")


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
        ("[]", "JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(patch: str, named: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        before = (await client.get("/_emulator/settings")).json()
        reply = await client.patch("/_emulator/settings", content=patch)
        assert reply.status_code == 400
        assert named in reply.json()["error"]
        assert (await client.get("/_emulator/settings")).json() == before

    with_endpoint(conversation)


def test_a_new_version_changes_scores_only_when_it_is_set_to() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        before = (await client.get("/v3/scores/enwiki/1/damaging")).json()["enwiki"]
        await client.patch("/_emulator/settings", json={"versions": {"damaging": "0.6.0"}})
        renamed = (await client.get("/v3/scores/enwiki/1/damaging")).json()["enwiki"]
        await client.patch("/_emulator/settings", json={"version_changes_scores": True})
        retrained = (await client.get("/v3/scores/enwiki/1/damaging")).json()["enwiki"]
        assert renamed["models"] == {"damaging": {"version": "0.6.0"}}
        assert renamed["scores"] == before["scores"]
        assert retrained["scores"] != before["scores"]

    with_endpoint(conversation)


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
        await asyncio.gather(
            client.get("/v3/scores/enwiki?models=damaging&revids=1|2"),
            client.post(DAMAGING, json={"rev_id": 2}),
            client.post("/v1/models/enwiki-goodfaith:predict", json={"rev_id": 2}),
        )
        await client.post(DAMAGING, json={"rev_id": 2})
        totals = await summary(client)
        assert (totals["overlaps"], totals["peak_concurrency"], totals["in_flight"]) == (1, 3, 0)

    with_endpoint(conversation, EmulatorSettings(latency_ms=LATENCY_MS))


def test_a_reset_forgets_calls_and_totals_but_not_calls_in_flight() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post(DAMAGING, json={"rev_id": 1})
        under_way = asyncio.create_task(client.post(DAMAGING, json={"rev_id": 2}))
        while not (await summary(client))["in_flight"]:
            pass
        assert (await client.delete("/_emulator/calls")).status_code == 204
        totals = await summary(client)
        assert (totals["calls"], totals["distinct_scores"], totals["in_flight"]) == (0, 0, 1)
        await under_way
        assert (await summary(client))["calls"] == 1

    with_endpoint(conversation, EmulatorSettings(latency_ms=LATENCY_MS))


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
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        os.kill(os.getpid(), signal_number)

    serve("127.0.0.1", 0, EmulatorSettings(), None, ready)
    assert ports[0] > 0


def test_a_port_in_use_raises_an_operating_system_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        serve("127.0.0.1", taken.getsockname()[1], EmulatorSettings(), None)
