"""An invalid entry of a reply is no answer for its own score; the other entries are kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.asking import RISK, ask_raw, ids
from tests.worker.clients.shapes import Document, ok, ores_reply, outlinks, qualities, revert_risk, revert_risks
from tests.worker.raw_server import http
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError

QUALITY = "articlequality_v2"
MULTILINGUAL = "revertriskmultilingual"
HUGE = 10**4000

#: What no probability is.
NO_PROBABILITIES: list[Any] = [
    float("nan"),
    float("inf"),
    float("-inf"),
    1.5,
    -0.1,
    HUGE,
    None,
    "high",
    "0.1",
    True,
    [],
    {},
]
#: What no version is: 33 characters, 32 that are 64 bytes, and what keys and task ids can't hold.
NO_VERSIONS: list[Any] = ["", "x" * 33, "é" * 32, "0.5 1", "0.5.1\n", None, 3, [], {}]

bad_probability = pytest.mark.parametrize("bad", NO_PROBABILITIES, ids=lambda bad: repr(bad)[:12])
bad_version = pytest.mark.parametrize("bad", NO_VERSIONS, ids=repr)

Change = Callable[[Document], Any]


def answers_of(kind: str, model: str, revisions: list[int], document: object, **more: Any) -> list[Answer]:
    wanted = ids(revisions, models=[model], version="3")
    answers, _ = ask_raw(kind, wanted, lambda _: ok(document), **more)
    return [answers[score_id] for score_id in wanted]


def only_the_second_is_silent(answers: list[Answer]) -> bool:
    return [type(answer) for answer in answers] == [Score, NoAnswer, Score]


def from_ores(change: Change) -> list[Answer]:
    """The answers for three revisions, *change* having been at the second's part of the reply."""
    document = ores_reply([1, 2, 3])
    change(document["enwiki"]["scores"]["2"])
    return answers_of("ores", "damaging", [1, 2, 3], document)


def from_revert_risk(change: Change) -> list[Answer]:
    document = revert_risks([1, 2, 3])
    change(document["predictions"][1])
    return answers_of("lift_wing", RISK, [1, 2, 3], document)


def from_quality(change: Change) -> list[Answer]:
    document = qualities(3)
    change(document["predictions"][1])
    return answers_of("lift_wing", QUALITY, [1, 2, 3], document)


@bad_probability
def test_what_is_no_probability_costs_its_own_score_of_ores_only(bad: object) -> None:
    assert only_the_second_is_silent(from_ores(lambda part: part["damaging"]["score"]["probability"].update(true=bad)))


@bad_probability
def test_what_is_no_probability_costs_its_own_revert_risk_only(bad: object) -> None:
    assert only_the_second_is_silent(from_revert_risk(lambda part: part["output"]["probabilities"].update(true=bad)))


@bad_probability
def test_what_is_no_probability_costs_its_own_quality_only(bad: object) -> None:
    assert only_the_second_is_silent(from_quality(lambda part: part["prediction_probabilities"].update(Stub=bad)))


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.clear(),
        lambda part: part.update(damaging=None),
        lambda part: part.update(damaging={}),
        lambda part: part.update(damaging=[]),
        lambda part: part["damaging"].update(score=None),
        lambda part: part["damaging"]["score"].update(probability={}),
        lambda part: part["damaging"]["score"].update(probability=None),
        lambda part: part["damaging"]["score"].pop("probability"),
        lambda part: part["damaging"]["score"].pop("prediction"),
        lambda part: part["damaging"]["score"].update(prediction="maybe"),
        lambda part: part["damaging"]["score"].update(prediction=["true", "maybe"]),
        lambda part: part["damaging"]["score"].update(prediction=None),
        lambda part: part["damaging"]["score"].update(prediction={}),
        lambda part: part.update(damaging={"error": {"type": "RevisionNotFound"}}),
        lambda part: part.update(damaging={"error": "RevisionNotFound"}),
    ],
)
def test_what_is_no_score_costs_its_own_score_of_ores_only(change: Change) -> None:
    assert only_the_second_is_silent(from_ores(change))


@pytest.mark.parametrize("bad", [None, [], "score", 7, {"damaging": 7}])
def test_what_is_no_answer_for_a_revision_costs_that_revision_only(bad: object) -> None:
    document = ores_reply([1, 2, 3])
    document["enwiki"]["scores"]["2"] = bad

    assert only_the_second_is_silent(answers_of("ores", "damaging", [1, 2, 3], document))


def test_a_revision_that_the_reply_leaves_out_costs_that_revision_only() -> None:
    assert only_the_second_is_silent(answers_of("ores", "damaging", [1, 2, 3], ores_reply([1, 3, 4])))


@bad_version
def test_what_is_no_version_costs_the_scores_of_its_model_only(bad: object) -> None:
    document = ores_reply([1], ["damaging", "goodfaith"])
    document["enwiki"]["models"]["goodfaith"]["version"] = bad

    answers, _ = ask_raw("ores", ids([1]), lambda _: ok(document))

    assert [type(answer) for answer in answers.values()] == [Score, NoAnswer]


@bad_version
def test_what_is_no_version_costs_its_own_revert_risk_only(bad: object) -> None:
    assert only_the_second_is_silent(from_revert_risk(lambda part: part.update(model_version=bad)))


@bad_version
def test_what_is_no_version_costs_all_qualities_of_the_reply(bad: object) -> None:
    answers = answers_of("lift_wing", QUALITY, [1, 2, 3], qualities(3) | {"model_version": bad})

    assert {type(answer) for answer in answers} == {NoAnswer}


@pytest.mark.parametrize("version", ["3", "x" * 32, "0.5.1:a/b+c~d"])
def test_a_version_may_have_up_to_thirty_two_characters(version: str) -> None:
    (answer,) = answers_of("lift_wing", MULTILINGUAL, [1], revert_risk(1, version=version))

    assert isinstance(answer, Score)
    assert answer.version == version


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.update(revision_id=4),
        lambda part: part.update(revision_id=None),
        lambda part: part.update(revision_id=HUGE),
        lambda part: part.update(wiki_db="dewiki"),
        lambda part: part.update(wiki_db=""),
        lambda part: part.update(output=None),
        lambda part: part["output"].update(prediction=None),
        lambda part: part["output"].update(prediction="maybe"),
        lambda part: part["output"].update(probabilities={}),
        lambda part: part["output"].update(probabilities={"false": 0.9, "1": 0.1}, prediction=True),
        lambda part: part.clear(),
    ],
)
def test_what_is_no_revert_risk_costs_its_own_score_only(change: Change) -> None:
    assert only_the_second_is_silent(from_revert_risk(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.update(label="A"),
        lambda part: part.update(label=None),
        lambda part: part.update(prediction_probabilities={}),
        lambda part: part.pop("prediction_probabilities"),
    ],
)
def test_what_is_no_quality_costs_its_own_score_only(change: Change) -> None:
    assert only_the_second_is_silent(from_quality(change))


@pytest.mark.parametrize("count", [0, 2, 4])
def test_qualities_that_can_not_be_told_apart_are_none_at_all(count: int) -> None:
    answers = answers_of("lift_wing", QUALITY, [1, 2, 3], qualities(count))

    assert {type(answer) for answer in answers} == {NoAnswer}


@pytest.mark.parametrize(
    "part", [revert_risk(2), revert_risk(1, wiki="dewiki"), revert_risk(1) | {"output": {}}, {}, []]
)
def test_a_single_revert_risk_of_something_else_is_no_answer(part: object) -> None:
    (answer,) = answers_of("lift_wing", MULTILINGUAL, [1], part)

    assert isinstance(answer, NoAnswer)


@bad_probability
def test_topics_without_a_probability_are_no_answer(bad: object) -> None:
    document = outlinks()
    document["prediction"]["results"][0]["score"] = bad

    (answer,) = answers_of("lift_wing", "outlinktopic", [1], document, pages={1: 42})

    assert isinstance(answer, NoAnswer)


def test_a_page_without_any_topic_is_no_answer_since_all_were_asked_for() -> None:
    (answer,) = answers_of(
        "lift_wing", "outlinktopic", [1], {"prediction": {"article": "x", "results": []}}, pages={1: 42}
    )

    assert isinstance(answer, NoAnswer)


@pytest.mark.parametrize("document", [ores_reply([1], wiki="dewiki"), {"enwiki": None}, {}, [], None])
def test_a_reply_about_another_wiki_is_no_answer(document: object) -> None:
    for kind in ("ores", "lift_wing"):
        (answer,) = answers_of(kind, "damaging", [1], document)
        assert isinstance(answer, NoAnswer)


def left_out(*errors: object) -> list[Answer]:
    """The answers where the reply holds revisions 1 and 3 of 1, 2 and 3, and *errors*."""
    return answers_of("lift_wing", RISK, [1, 2, 3], revert_risks([1, 3], errors=errors))


def test_a_revision_that_is_left_out_with_an_error_of_its_own_is_not_found() -> None:
    first, second, third = left_out("Could not make prediction for revision 2 (en). Reason: revision_missing")

    assert isinstance(second, ScoreError)
    assert second.type == "RevisionNotFound"
    assert [type(first), type(third)] == [Score, Score]


def test_a_revision_that_is_left_out_in_words_that_nobody_knows_is_asked_for_again() -> None:
    assert only_the_second_is_silent(left_out("the caption of revision 2 could not be fetched"))


@pytest.mark.parametrize("error", ["no prediction for revision 12", "no prediction for revision 20", "no", 2, None])
def test_a_revision_that_is_left_out_with_an_error_of_another_is_asked_for_again(error: object) -> None:
    assert only_the_second_is_silent(left_out(error))


def test_a_revision_that_is_left_out_without_an_error_is_asked_for_again() -> None:
    assert only_the_second_is_silent(left_out())


def test_an_error_of_a_revision_counts_beside_another_part_that_is_not_right() -> None:
    document = revert_risks([1, 3], errors=["Could not make prediction for revision 2 (en). Reason: revision_missing"])
    document["predictions"][0]["output"] = None

    answers = answers_of("lift_wing", RISK, [1, 2, 3], document)

    assert [type(answer) for answer in answers] == [NoAnswer, ScoreError, Score]


@pytest.mark.parametrize(("first", "last", "kind"), [("2.5", "0.5", Score), ("0.5", "2.5", NoAnswer)])
def test_of_keys_that_come_twice_the_last_counts(first: str, last: str, kind: type) -> None:
    body = json.dumps(ores_reply([1])).replace('"true": 0.125', f'"true": {first}, "true": {last}').encode()

    answers, _ = ask_raw("ores", ids([1], models=["damaging"]), lambda _: http(200, body))

    assert [type(answer) for answer in answers.values()] == [kind]
