"""New model versions that are on some replicas only, and models that are taken away."""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.emulators.scoring.asking import DAMAGING, call_logged_for, instances, reply_to, server, with_endpoint
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities

ORES = "/v3/scores/enwiki/?models=damaging|goodfaith&revids=1|2"
INFO = "/v3/scores/enwiki/?models=damaging|goodfaith"
HALF = {"0.5.1": 1.0, "0.6.0": 1.0}
MIXED = EmulatorSettings(version_mix={"damaging": HALF})
RISK = server("revertrisk-language-agnostic")


def replies(count: int, path: str, settings: EmulatorSettings, body: object = None) -> list[dict[str, Any]]:
    """What a fresh endpoint answers to the same call again and again, failures left out."""
    found: list[dict[str, Any]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(count):
            reply = await client.request("GET" if body is None else "POST", path, json=body)
            if reply.status_code == 200:
                found.append(reply.json())

    with_endpoint(conversation, settings)
    return found


def versions(count: int, settings: EmulatorSettings, path: str = INFO, model: str = "damaging") -> list[str]:
    """The versions of one model that are told one after the other."""
    return [reply["enwiki"]["models"][model]["version"] for reply in replies(count, path, settings)]


@pytest.mark.parametrize(("path", "body"), [(ORES, None), (INFO, None), (DAMAGING, {"rev_id": 1})])
def test_a_mixed_model_answers_in_one_version_or_the_other(path: str, body: object) -> None:
    seen = [reply["enwiki"]["models"]["damaging"] for reply in replies(20, path, MIXED, body)]
    assert {each["version"] for each in seen} == {"0.5.1", "0.6.0"}


def test_the_list_of_wikis_comes_from_one_replica() -> None:
    for wikis in replies(20, "/v3/scores", MIXED):
        seen = [models["damaging"]["version"] for each in wikis.values() if "damaging" in (models := each["models"])]
        assert len(seen) > 30
        assert len(set(seen)) == 1


def test_a_mixed_revertrisk_server_answers_in_one_version_a_call() -> None:
    settings = EmulatorSettings(version_mix={"revertrisk-language-agnostic": {"3": 1.0, "4": 1.0}})
    batches = replies(20, RISK, settings, instances(1, 2, 3))
    seen = [{each["model_version"] for each in batch["predictions"]} for batch in batches]
    assert all(len(each) == 1 for each in seen)
    assert set.union(*seen) == {"3", "4"}


def test_versions_answer_as_often_as_their_weights_say() -> None:
    settings = EmulatorSettings(version_mix={"damaging": {"0.5.1": 6.0, "0.6.0": 3.0, "0.7.0": 1.0}})
    counted = Counter(versions(400, settings))
    assert [counted[each] / 400 for each in ("0.5.1", "0.6.0", "0.7.0")] == pytest.approx([0.6, 0.3, 0.1], abs=0.07)


def test_the_same_seed_has_the_same_replicas_answer() -> None:
    assert versions(30, MIXED) == versions(30, MIXED)
    assert versions(30, MIXED) != versions(30, MIXED.changed({"seed": 1}))


def test_replicas_are_drawn_anew_after_a_change_of_settings() -> None:
    runs: list[list[str]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(2):
            seen = [(await client.get(INFO)).json()["enwiki"]["models"]["damaging"]["version"] for _ in range(30)]
            runs.append(seen)
            await client.patch("/_emulator/settings", json={})

    with_endpoint(conversation, MIXED)
    assert runs[0] == runs[1]


def test_models_that_are_deployed_together_change_together() -> None:
    settings = EmulatorSettings(version_mix={"damaging": HALF, "goodfaith": HALF})
    for reply in replies(20, ORES, settings):
        models = reply["enwiki"]["models"]
        assert models["damaging"] == models["goodfaith"]


def test_a_model_that_is_not_mixed_keeps_its_version() -> None:
    settings = MIXED.changed({"versions": {"damaging": "0.1", "goodfaith": "0.2"}})
    assert set(versions(20, settings, model="goodfaith")) == {"0.2"}
    assert "0.1" not in versions(20, settings)


def test_the_scores_of_a_call_are_those_of_the_version_it_names() -> None:
    for reply in replies(20, ORES, MIXED.changed({"version_changes_scores": True})):
        content = reply["enwiki"]
        version = content["models"]["damaging"]["version"]
        for revision in (1, 2):
            seen = content["scores"][str(revision)]["damaging"]["score"]["probability"]
            assert seen == probabilities(0, "enwiki", "damaging", revision, version)


def test_failures_do_not_single_out_a_version() -> None:
    settings = MIXED.changed({"failures": {"rate": 0.5}})
    assert set(versions(40, settings, path=ORES)) == {"0.5.1", "0.6.0"}


@pytest.mark.parametrize("path", ["/v3/scores/enwiki?models=damaging", "/v3/scores/enwiki/1/damaging"])
def test_ores_does_not_find_a_vanished_model_that_is_named(path: str) -> None:
    reply = reply_to(path, settings=EmulatorSettings(vanished_models=frozenset({"damaging"})))
    assert reply.status_code == 404
    assert reply.json()["error"] == {"code": "not found", "message": "Models ('damaging',) not available for enwiki"}


@pytest.mark.parametrize("path", ["/v3/scores/enwiki", "/v3/scores/enwiki?revids=1", "/v3/scores"])
def test_ores_leaves_a_vanished_model_out_where_none_is_named(path: str) -> None:
    before = reply_to(path).json()["enwiki"]
    after = reply_to(path, settings=EmulatorSettings(vanished_models=frozenset({"damaging"}))).json()["enwiki"]
    assert before["models"].keys() - after["models"].keys() == {"damaging"}
    assert all("damaging" not in scores for scores in after.get("scores", {}).values())


@pytest.mark.parametrize(
    ("model", "path", "body"),
    [("damaging", DAMAGING, {"rev_id": 1}), ("revertrisk-language-agnostic", RISK, instances(1))],
)
def test_lift_wing_has_no_server_of_a_vanished_model(model: str, path: str, body: object) -> None:
    settings = EmulatorSettings(vanished_models=frozenset({model}))
    reply = reply_to(path, body, settings)
    assert reply.status_code == 404
    assert list(reply.json()) == ["error"]


def test_other_models_stay_when_one_vanishes() -> None:
    settings = EmulatorSettings(vanished_models=frozenset({"damaging"}))
    assert reply_to("/v3/scores/enwiki/1/goodfaith", settings=settings).status_code == 200
    assert reply_to(server("enwiki-goodfaith"), {"rev_id": 1}, settings).status_code == 200


def test_a_call_for_a_vanished_model_is_a_failure_without_scores() -> None:
    call = call_logged_for(DAMAGING, {"rev_id": 1}, EmulatorSettings(vanished_models=frozenset({"damaging"})))
    assert (call["status"], call["scores"]) == (404, 0)


def test_a_vanished_model_can_come_back() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await client.patch("/_emulator/settings", json={"vanished_models": ["damaging"]})
        assert (await client.post(DAMAGING, json={"rev_id": 1})).status_code == 404
        await client.patch("/_emulator/settings", json={"vanished_models": None})
        assert (await client.post(DAMAGING, json={"rev_id": 1})).status_code == 200

    with_endpoint(conversation)
