"""What the emulated scores look like, and which of them are the same."""

import httpx
import pytest

from tests.emulators.scoring.asking import DAMAGING, instances, reply_to, server, with_endpoint
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities
from worker.emulators.scoring.servers import MODELS, TOPICS
from worker.emulators.scoring.shapes import prediction

TOPIC_MODELS = sorted(name for name, model in MODELS.items() if model.classes is TOPICS)


def test_the_same_seed_gives_the_same_probabilities() -> None:
    first = reply_to("/v3/scores/enwiki/123", settings=EmulatorSettings(seed=7)).json()
    assert first == reply_to("/v3/scores/enwiki/123", settings=EmulatorSettings(seed=7)).json()
    assert first != reply_to("/v3/scores/enwiki/123", settings=EmulatorSettings(seed=8)).json()


@pytest.mark.parametrize("model", sorted(MODELS.keys() - TOPIC_MODELS))
def test_the_probabilities_of_a_model_with_exclusive_classes_sum_to_one(model: str) -> None:
    for revision in range(50):
        probability = probabilities(0, "enwiki", model, revision)
        assert set(probability) == set(MODELS[model].classes)
        assert sum(probability.values()) == pytest.approx(1.0)


def test_most_edits_are_neither_damaging_nor_in_bad_faith() -> None:
    damaging = [probabilities(0, "enwiki", "damaging", revision)["true"] for revision in range(2000)]
    goodfaith = [probabilities(0, "enwiki", "goodfaith", revision)["true"] for revision in range(2000)]
    assert 0.10 < sum(each >= 0.5 for each in damaging) / 2000 < 0.22
    assert 0.78 < sum(each >= 0.5 for each in goodfaith) / 2000 < 0.90


@pytest.mark.parametrize(("model", "share"), [("reverted", 0.16), ("revertrisk-wikidata", 0.21)])
def test_most_edits_are_not_reverted(model: str, share: float) -> None:
    likely = [probabilities(0, "enwiki", model, revision)["true"] >= 0.5 for revision in range(5000)]
    assert sum(likely) / 5000 == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("model", TOPIC_MODELS)
def test_each_of_the_64_topics_has_a_probability_of_its_own(model: str) -> None:
    probability = probabilities(0, "enwiki", model, 5)
    assert len(probability) == 64
    assert all(0 < each < 1 for each in probability.values())
    assert sum(probability.values()) != pytest.approx(1.0)


def test_most_pages_have_one_to_three_topics() -> None:
    found = [prediction(probabilities(0, "enwiki", "articletopic", revision)) for revision in range(1000)]
    assert all(isinstance(topics, list) for topics in found)
    assert sum(isinstance(topics, list) and 1 <= len(topics) <= 3 for topics in found) > 600


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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v3/scores/enwiki/1/damaging", None),
        (DAMAGING, {"rev_id": 1}),
        (server("enwiki-articletopic"), {"rev_id": 1}),
        (server("revertrisk-language-agnostic"), instances(1, 2)),
        (server("articlequality_v2"), instances(1, 2)),
        (server("outlink-topic-model"), {"page_id": 1, "lang": "en", "threshold": 0.0}),
    ],
)
def test_varying_scores_differ_from_call_to_call(path: str, body: object) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        method = "GET" if body is None else "POST"
        replies = [await client.request(method, path, json=body) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200] * 3
        assert len({reply.text for reply in replies}) == 3

    with_endpoint(conversation, EmulatorSettings(varying_scores=True))


def test_varying_scores_are_still_probabilities() -> None:
    settings = EmulatorSettings(varying_scores=True)
    scores = reply_to("/v3/scores/enwiki/1?models=damaging|draftquality", settings=settings).json()["enwiki"]["scores"]
    assert scores["1"]["draftquality"]["score"]["probability"].keys() == {"attack", "OK", "spam", "vandalism"}
    for score in scores["1"].values():
        assert sum(score["score"]["probability"].values()) == pytest.approx(1.0)


def test_scores_that_varied_are_the_seeds_own_again_afterwards() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        before = (await client.post(DAMAGING, json={"rev_id": 1})).json()
        await client.patch("/_emulator/settings", json={"varying_scores": True})
        assert (await client.post(DAMAGING, json={"rev_id": 1})).json() != before
        await client.patch("/_emulator/settings", json={"varying_scores": None})
        assert (await client.post(DAMAGING, json={"rev_id": 1})).json() == before

    with_endpoint(conversation)
