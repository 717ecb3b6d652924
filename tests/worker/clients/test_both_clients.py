"""What both scoring clients promise, against the emulated endpoint; only the APIs' limits differ."""

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import KINDS, RISK, ask, ask_versions, ids
from worker.demo.processes import free_port
from worker.domain.errors import EndpointUnavailable
from worker.domain.scores import NoAnswer, Score, ScoreError, ScoreId
from worker.emulators.scoring.endpoint import probabilities

#: What the emulated endpoint calls our model of the same kind.
LIFT_WING_RISK = "revertrisk-language-agnostic"

both = pytest.mark.parametrize("kind", KINDS)


def risk_ids(count: int) -> list[ScoreId]:
    return ids(range(1, count + 1), models=[RISK], version="3")


@both
def test_every_score_is_the_endpoints_own(kind: str, endpoint: EmulatedEndpoint) -> None:
    wanted = ids(range(1, 41), models=["damaging", "goodfaith", "articlequality"])

    answers = ask(kind, endpoint.url, wanted)

    assert {score_id: answer.probability for score_id, answer in answers.items() if isinstance(answer, Score)} == {
        score_id: probabilities(0, "enwiki", score_id.model, score_id.revision) for score_id in wanted
    }


def test_revert_risk_is_the_endpoints_own(endpoint: EmulatedEndpoint) -> None:
    wanted = risk_ids(40)

    answers = ask("lift_wing", endpoint.url, wanted)

    assert {score_id: answer.probability for score_id, answer in answers.items() if isinstance(answer, Score)} == {
        score_id: probabilities(0, "enwiki", LIFT_WING_RISK, score_id.revision) for score_id in wanted
    }


@both
def test_a_prediction_is_a_class_name(kind: str, endpoint: EmulatedEndpoint) -> None:
    for answer in ask(kind, endpoint.url, ids([1], models=["damaging", "articlequality"])).values():
        assert isinstance(answer, Score)
        assert answer.prediction in answer.probability


@both
def test_nothing_wanted_costs_no_call(kind: str, endpoint: EmulatedEndpoint) -> None:
    assert ask(kind, endpoint.url, []) == {}
    assert endpoint.summary()["calls"] == 0


@both
def test_a_missing_revision_is_a_final_error_and_costs_nobody_elses_score(
    kind: str, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(missing_revisions=[7])

    answers = ask(kind, endpoint.url, ids(range(1, 21)))

    errors = {score_id.revision: answer for score_id, answer in answers.items() if isinstance(answer, ScoreError)}
    assert {revision: error.type for revision, error in errors.items()} == {7: "RevisionNotFound"}
    assert sum(isinstance(answer, Score) for answer in answers.values()) == 38


def test_a_missing_revision_costs_no_other_of_its_revert_risk_batch(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[7])

    answers = ask("lift_wing", endpoint.url, risk_ids(20))

    missing = [score_id.revision for score_id, answer in answers.items() if not isinstance(answer, Score)]
    assert missing == [7]


def test_a_revision_that_breaks_the_server_costs_no_other_of_its_revert_risk_batch(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(broken_revisions=[7])

    answers = ask("lift_wing", endpoint.url, risk_ids(20))

    silent = [score_id.revision for score_id, answer in answers.items() if isinstance(answer, NoAnswer)]
    assert silent == [7]


def test_a_revert_risk_batch_of_missing_revisions_only_is_a_final_error_for_each(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[1, 2, 3])

    answers = ask("lift_wing", endpoint.url, risk_ids(3))

    assert [answer.type for answer in answers.values() if isinstance(answer, ScoreError)] == ["RevisionNotFound"] * 3


@both
def test_an_endpoint_that_is_down_is_no_answer(kind: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    answers = ask(kind, url, ids([1, 2]))

    assert [url in answer.error for answer in answers.values() if isinstance(answer, NoAnswer)] == [True] * 4


@both
def test_a_score_carries_the_version_that_made_it(kind: str, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(versions={"damaging": "0.6.0"})

    answers = ask(kind, endpoint.url, ids([1], version="0.5.1"))

    assert {answer.model: answer.version for answer in answers.values() if isinstance(answer, Score)} == {
        "damaging": "0.6.0",
        "goodfaith": "0.5.1",
    }


@both
def test_versions_of_an_endpoint_that_is_down_are_unavailable(kind: str) -> None:
    with pytest.raises(EndpointUnavailable):
        ask_versions(kind, f"http://127.0.0.1:{free_port()}", ["damaging"])


def test_lift_wing_is_asked_for_each_other_score_by_itself(endpoint: EmulatedEndpoint) -> None:
    ask("lift_wing", endpoint.url, ids(range(1, 201)))

    assert endpoint.summary()["calls"] == 400


@both
def test_no_more_requests_are_under_way_than_allowed(kind: str, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(latency_ms=30)

    ask(kind, endpoint.url, ids(range(1, 41)), concurrency=3, scores_per_request=2)

    assert endpoint.summary()["peak_concurrency"] == 3
