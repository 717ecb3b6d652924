"""ORES is asked for fifty scores at once at most, and its scores and errors come back as they are, one by one."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import ask, ask_raw, ask_versions, ids
from tests.worker.clients.shapes import ok, ores_error, ores_reply, right
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, Score, ScoreError
from worker.emulators.scoring.endpoint import probabilities

VERSIONS = {"damaging": "0.5.1", "articlequality": "0.9.2", "draftquality": "0.2.1", "articletopic": "1.3.0"}


def test_a_request_names_wiki_models_and_revisions() -> None:
    _, raw = ask_raw("ores", ids([3, 1, 2]), right)

    (request,) = raw.requests
    target = urlsplit(request.target)
    assert (request.method, target.path, request.body) == ("GET", "/v3/scores/enwiki/", b"")
    assert parse_qs(target.query) == {"models": ["damaging|goodfaith"], "revids": ["1|2|3"]}


def test_no_request_is_for_more_than_fifty_scores() -> None:
    _, raw = ask_raw("ores", ids(range(1, 102), models=["damaging"]), right)

    asked = [parse_qs(urlsplit(request.target).query)["revids"][0].split("|") for request in raw.requests]
    assert sorted(len(revisions) for revisions in asked) == [1, 50, 50]
    assert len({revision for revisions in asked for revision in revisions}) == 101


def test_the_emulated_ores_refuses_none_of_our_requests(endpoint: EmulatedEndpoint) -> None:
    ask("ores", endpoint.url, ids(range(1, 131), models=list(VERSIONS)))

    assert {call["status"] for call in endpoint.calls()} == {200}


@pytest.mark.parametrize("model", VERSIONS)
def test_a_score_has_its_models_name_version_and_probabilities(model: str, endpoint: EmulatedEndpoint) -> None:
    (answer,) = ask("ores", endpoint.url, ids([7], models=[model])).values()

    assert isinstance(answer, Score)
    assert (answer.model, answer.version) == (model, VERSIONS[model])
    assert answer.probability == probabilities(0, "enwiki", model, 7)


def test_a_boolean_prediction_becomes_the_name_of_its_class() -> None:
    document = ores_reply([1, 2])
    document["enwiki"]["scores"]["2"]["damaging"]["score"]["prediction"] = True

    answers, _ = ask_raw("ores", ids([1, 2], models=["damaging"]), lambda _: ok(document))

    assert [answer.prediction for answer in answers.values() if isinstance(answer, Score)] == ["false", "true"]


def test_the_likeliest_class_of_several_is_predicted(endpoint: EmulatedEndpoint) -> None:
    for answer in ask("ores", endpoint.url, ids(range(1, 11), models=["articlequality", "draftquality"])).values():
        assert isinstance(answer, Score)
        assert answer.prediction == max(answer.probability, key=answer.probability.__getitem__)


def test_topics_are_predicted_together(endpoint: EmulatedEndpoint) -> None:
    for answer in ask("ores", endpoint.url, ids(range(1, 11), models=["articletopic"])).values():
        assert isinstance(answer, Score)
        likely = [topic for topic, probability in answer.probability.items() if probability >= 0.5]
        assert answer.prediction == tuple(likely)


def test_one_models_error_costs_no_other_models_score_of_the_revision() -> None:
    document = ores_reply([1], ["damaging", "goodfaith"])
    document["enwiki"]["scores"]["1"]["goodfaith"] = ores_error("TextDeleted", "the text was deleted")

    answers, _ = ask_raw("ores", ids([1]), lambda _: ok(document))

    damaging, goodfaith = answers.values()
    assert isinstance(damaging, Score)
    assert goodfaith == ScoreError(
        model="goodfaith", version="0.5.1", type="TextDeleted", message="the text was deleted"
    )


def test_an_error_about_one_revision_is_final_and_of_the_endpoints_kind(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[7])

    answers = ask("ores", endpoint.url, ids(range(1, 21)))

    errors = {score_id.revision: answer for score_id, answer in answers.items() if isinstance(answer, ScoreError)}
    assert {revision: (error.type, error.version) for revision, error in errors.items()} == {
        7: ("RevisionNotFound", "0.5.1")
    }
    assert sum(isinstance(answer, Score) for answer in answers.values()) == 38


def test_an_error_over_one_revision_is_no_answer_and_costs_nobody_elses_score(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(broken_revisions=[7])

    answers = ask("ores", endpoint.url, ids(range(1, 21)))

    silent = {score_id.revision: answer for score_id, answer in answers.items() if isinstance(answer, NoAnswer)}
    assert {revision: answer.failure for revision, answer in silent.items()} == {7: Failure.TRANSIENT}
    assert sum(isinstance(answer, Score) for answer in answers.values()) == 38


def test_a_traceback_in_an_error_is_cut() -> None:
    document = ores_reply([1])
    document["enwiki"]["scores"]["1"]["damaging"] = ores_error("CaughtDependencyError", "x" * 1_000_000)

    ((_, answer),) = ask_raw("ores", ids([1], models=["damaging"]), lambda _: ok(document))[0].items()

    assert isinstance(answer, NoAnswer)
    assert answer.error == "CaughtDependencyError: " + "x" * 500


def test_versions_are_those_of_the_wikis_models(endpoint: EmulatedEndpoint) -> None:
    assert ask_versions("ores", endpoint.url, list(VERSIONS)) == VERSIONS


def test_a_model_that_ores_does_not_have_has_no_version(endpoint: EmulatedEndpoint) -> None:
    assert ask_versions("ores", endpoint.url, ["damaging", "tone"]) == {"damaging": "0.5.1"}


def test_a_version_is_asked_for_without_a_score(endpoint: EmulatedEndpoint) -> None:
    ask_versions("ores", endpoint.url, ["damaging"])

    assert [(call["kind"], call["revisions"]) for call in endpoint.calls()] == [("info", [])]
