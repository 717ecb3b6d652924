"""The emulated ORES v3."""

import pytest

from tests.emulators.scoring.asking import reply_to
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities

MODELS = {
    "damaging": "0.5.1",
    "goodfaith": "0.5.1",
    "reverted": "0.4.0",
    "articlequality": "0.9.2",
    "wp10": "0.9.2",
    "itemquality": "0.5.0",
    "draftquality": "0.2.1",
    "articletopic": "1.3.0",
    "drafttopic": "1.3.0",
    "itemtopic": "1.3.0",
}


def test_ores_scores_each_revision_with_each_model_and_agrees_with_the_oracle() -> None:
    content = reply_to("/v3/scores/simplewiki/?models=damaging|articlequality&revids=11|12").json()["simplewiki"]
    assert content["models"] == {"damaging": {"version": "0.5.1"}, "articlequality": {"version": "0.9.2"}}
    assert set(content["scores"]) == {"11", "12"}
    expected = probabilities(0, "simplewiki", "damaging", 12)
    assert content["scores"]["12"]["damaging"]["score"] == {
        "prediction": expected["true"] >= 0.5,
        "probability": expected,
    }
    quality = content["scores"]["11"]["articlequality"]["score"]
    assert quality["prediction"] == max(quality["probability"], key=quality["probability"].get)


@pytest.mark.parametrize("model", ["articletopic", "drafttopic", "itemtopic"])
def test_the_prediction_of_a_topic_model_lists_the_likely_topics(model: str) -> None:
    revisions = reply_to(f"/v3/scores/enwiki?models={model}&revids=1|2|3|4|5|6").json()["enwiki"]["scores"]
    scores = [revision[model]["score"] for revision in revisions.values()]
    for score in scores:
        assert score["prediction"] == [topic for topic, each in score["probability"].items() if each >= 0.5]
    assert max(len(score["prediction"]) for score in scores) > 1


def test_items_are_graded_from_a_to_e() -> None:
    score = reply_to("/v3/scores/wikidatawiki/3/itemquality").json()["wikidatawiki"]["scores"]["3"]["itemquality"]
    assert list(score["score"]["probability"]) == ["A", "B", "C", "D", "E"]
    assert score["score"]["prediction"] in "ABCDE"


def test_ores_scores_with_all_models_when_none_is_named() -> None:
    content = reply_to("/v3/scores/enwiki/5").json()["enwiki"]
    assert content["models"] == {model: {"version": version} for model, version in MODELS.items()}
    assert set(content["scores"]["5"]) == set(MODELS)


def test_ores_without_revisions_gives_model_versions_only() -> None:
    content = reply_to("/v3/scores/enwiki?models=goodfaith").json()
    assert content == {"enwiki": {"models": {"goodfaith": {"version": "0.5.1"}}}}


def test_ores_lists_the_models_of_the_configured_wikis_and_of_those_that_the_original_has() -> None:
    wikis = reply_to("/v3/scores/", settings=EmulatorSettings(wikis=("mywiki",))).json()
    assert set(wikis["mywiki"]["models"]) == set(MODELS)
    assert set(wikis["dewiki"]["models"]) == {"damaging", "goodfaith"}
    assert "xxwiki" not in wikis


def test_any_wiki_has_every_model_if_that_is_set() -> None:
    settings = EmulatorSettings(any_wiki=True)
    assert set(reply_to("/v3/scores/mywiki", settings=settings).json()["mywiki"]["models"]) == set(MODELS)
    assert reply_to("/v3/scores/No-Wiki", settings=settings).status_code == 404


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/5/damaging", "/v3/scores/enwiki/5/damaging/"])
def test_ores_takes_revision_and_model_from_the_path(path: str) -> None:
    assert list(reply_to(path).json()["enwiki"]["scores"]["5"]) == ["damaging"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v3/scores/enwiki?revids=" + "|".join(map(str, range(51))), 400, "bad request"),
        ("/v3/scores/enwiki?revids=1|two", 400, "bad request"),
        ("/v3/scores/enwiki?revids=1&models=beauty", 404, "not found"),
        ("/v3/scores/enwiki?revids=1&models=revertrisk-wikidata", 404, "not found"),
        ("/v3/scores/No-Wiki?revids=1", 404, "not found"),
        ("/v3/scores/xxwiki?revids=1", 404, "not found"),
        ("/v3/scores/xxwiki", 404, "not found"),
        ("/v3/scores/dewiki?revids=1&models=draftquality", 404, "not found"),
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
