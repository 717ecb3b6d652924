"""What the emulated ORES tells of its models when asked for more, or other, than their versions."""

from typing import Any

import httpx
import pytest

from tests.emulators.scoring.asking import calls, reply_to, summary, with_endpoint
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities
from worker.emulators.scoring.statistics import matches_of, optimum, read_formula, statistics_document

MAYBE_BAD = "maximum recall @ precision >= 0.15"
LIKELY_GOOD = "maximum recall @ precision >= 0.995"
UNHEARD_OF = "maximum recall @ precision >= 1.1"


def thresholds(label: str, formula: str) -> str:
    """The path of one threshold."""
    return f'statistics.thresholds.{label}."{formula}"'


def asking(*paths: str, models: str = "damaging", **more: str) -> str:
    """The address of a call about enwiki for some model information."""
    return f"/v3/scores/enwiki/?{httpx.QueryParams(models=models, model_info='|'.join(paths), **more)}"


def information(*paths: str, model: str = "damaging", settings: EmulatorSettings | None = None) -> dict[str, Any]:
    """What a fresh endpoint tells of one model."""
    reply = reply_to(asking(*paths, models=model), settings=settings)
    assert reply.status_code == 200
    info: dict[str, Any] = reply.json()["enwiki"]["models"][model]
    return info


def best(label: str, formula: str, model: str = "damaging", version: str = "0.5.1") -> dict[str, object]:
    """The threshold that satisfies a formula best."""
    found = optimum(read_formula(formula), matches_of(0, "enwiki", model, version, label))
    assert found is not None
    return statistics_document(found)


def test_each_class_has_a_list_of_thresholds_in_the_order_of_the_formulas() -> None:
    info = information(
        thresholds("true", LIKELY_GOOD), thresholds("false", LIKELY_GOOD), thresholds("true", MAYBE_BAD), "version"
    )
    assert info == {
        "version": "0.5.1",
        "statistics": {
            "thresholds": {
                "true": [best("true", LIKELY_GOOD), best("true", MAYBE_BAD)],
                "false": [best("false", LIKELY_GOOD)],
            }
        },
    }


def test_a_formula_that_no_threshold_satisfies_is_null_in_its_place() -> None:
    info = information(thresholds("true", UNHEARD_OF), thresholds("true", MAYBE_BAD))
    assert info == {"statistics": {"thresholds": {"true": [None, best("true", MAYBE_BAD)]}}}


def test_a_formula_asked_for_twice_is_answered_once() -> None:
    info = information(thresholds("true", MAYBE_BAD), thresholds("true", MAYBE_BAD))
    assert info["statistics"]["thresholds"]["true"] == [best("true", MAYBE_BAD)]


@pytest.mark.parametrize(
    ("model", "label", "path"),
    [
        ("goodfaith", "true", "true"),
        ("reverted", "false", "false"),
        ("draftquality", "spam", "spam"),
        ("articletopic", "Culture.Biography.Women", '"Culture.Biography.Women"'),
    ],
)
def test_the_classes_of_a_model_have_thresholds(model: str, label: str, path: str) -> None:
    formula = "maximum filter_rate @ recall >= 0.9"
    info = information("version", thresholds(path, formula), model=model)
    assert info["statistics"]["thresholds"] == {label: [best(label, formula, model, info["version"])]}


def test_a_new_version_has_thresholds_of_its_own() -> None:
    path = thresholds("true", MAYBE_BAD)
    info = information(path, settings=EmulatorSettings(versions={"damaging": "0.6.0"}))
    assert info["statistics"]["thresholds"]["true"] == [best("true", MAYBE_BAD, version="0.6.0")]


def test_scores_and_thresholds_can_be_asked_for_in_one_call() -> None:
    content = reply_to(asking(thresholds("true", MAYBE_BAD), revids="7")).json()["enwiki"]
    assert content["models"]["damaging"]["statistics"]["thresholds"]["true"] == [best("true", MAYBE_BAD)]
    assert content["scores"]["7"]["damaging"]["score"]["probability"] == probabilities(0, "enwiki", "damaging", 7)


@pytest.mark.parametrize(
    "path",
    [
        "beauty",
        "",
        "statistics.thresholds",
        "statistics.thresholds.true",
        "statistics.thresholds.true.",
        'statistics.thresholds.true."maximum recall',
        thresholds("spam", MAYBE_BAD),
        thresholds("true", "maximum recall"),
        thresholds("true", "maximum beauty @ precision >= 0.15"),
    ],
)
def test_what_a_model_cannot_tell_is_a_bad_request_that_names_it(path: str) -> None:
    reply = reply_to(asking("version", path))
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "bad request"
    beginning, named = reply.json()["error"]["message"].split(" for ")
    assert beginning == "Model information could not be retrieved"
    assert named in path
    assert bool(named) == bool(path)


def test_one_model_without_the_class_spoils_the_call() -> None:
    path = thresholds("true", MAYBE_BAD)
    assert reply_to(asking(path, models="damaging|goodfaith")).status_code == 200
    assert reply_to(asking(path, models="damaging|draftquality")).status_code == 400


def test_the_list_of_wikis_takes_paths_too() -> None:
    assert reply_to("/v3/scores?model_info=version").json() == reply_to("/v3/scores").json()
    assert reply_to("/v3/scores?model_info=beauty").status_code == 400


@pytest.mark.parametrize("path", [asking("version"), asking("beauty"), asking("version", models="beauty")])
def test_a_call_for_model_information_is_counted_apart_whether_answered_or_refused(path: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            await client.get(path)
        totals = await summary(client)
        assert (totals["info_calls"], totals["calls"], totals["failures"]) == (3, 0, 0)
        assert [call["kind"] for call in await calls(client)] == ["info"] * 3

    with_endpoint(conversation)


@pytest.mark.parametrize("path", [asking("version"), asking(thresholds("true", MAYBE_BAD)), "/v3/scores"])
def test_broken_information_has_no_version_and_no_thresholds_in_it(path: str) -> None:
    reply = reply_to(path, settings=EmulatorSettings(broken_info=True, wikis=("enwiki",)))
    assert reply.status_code == 200
    info = reply.json()["enwiki"]["models"]["damaging"]
    assert not isinstance(info["version"], str)
    assert not isinstance(info["statistics"], dict)


def test_scores_are_right_while_information_is_broken() -> None:
    path = "/v3/scores/enwiki/7/damaging"
    assert reply_to(path, settings=EmulatorSettings(broken_info=True)).json() == reply_to(path).json()


def test_a_model_says_what_it_is_and_how_well_it_did() -> None:
    assert information("type", "params")["type"] == "GradientBoosting"
    assert information("statistics.roc_auc.labels.true") == {"statistics": {"roc_auc": {"labels": {"true": 0.94}}}}
    assert information("statistics", model="draftquality")["statistics"]["counts"]["labels"].keys() == {
        "attack",
        "OK",
        "spam",
        "vandalism",
    }


@pytest.mark.parametrize("path", ["statistics.roc_auc.labels.maybe", "statistics.unheard", "trained"])
def test_what_a_model_does_not_say_is_a_bad_request(path: str) -> None:
    assert reply_to(asking(path)).status_code == 400


def test_scores_come_with_features_and_errors_without() -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({2}))
    scores = reply_to("/v3/scores/enwiki/?models=damaging&revids=1|2&features", settings=settings).json()["enwiki"][
        "scores"
    ]

    assert scores["1"]["damaging"].keys() == {"score", "features"}
    assert scores["2"]["damaging"].keys() == {"error"}
