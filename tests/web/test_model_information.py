"""What the endpoint tells of models, asked for by workers, once for all who want to know."""

import pytest
from redis import Redis

from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS
from tests.web.conftest import OpenFront
from tests.web.documents import VERSION
from tests.web.fronts import Front
from worker.flight.documents import document_key
from worker.tasks.documents import KINDS, make_document

#: As Extension:ORES asks for the ends of a level: mediawiki-extensions-ORES includes/Storage/ThresholdLookup.php.
FORMULAS = (
    'statistics.thresholds.true."maximum filter_rate @ recall >= 0.9"'
    '|statistics.thresholds.true."maximum recall @ precision >= 0.6"'
    '|statistics.thresholds.false."maximum recall @ precision >= 0.995"'
)


def models(front: Front, query: str) -> dict[str, object]:
    found: dict[str, object] = front.json(f"/v3/scores/enwiki/?{query}")["enwiki"]["models"]
    return found


def test_of_models_that_are_asked_about_only_that_is_told(front: Front) -> None:
    assert models(front, "models=damaging&model_info=type") == {"damaging": {"type": "GradientBoosting"}}
    assert models(front, "models=damaging&model_info=version|type") == {
        "damaging": {"version": VERSION, "type": "GradientBoosting"}
    }


def test_a_path_leads_down_with_dots(front: Front) -> None:
    assert models(front, "models=damaging&model_info=statistics.roc_auc.micro") == {
        "damaging": {"statistics": {"roc_auc": {"micro": 0.94}}}
    }


def test_formulas_in_quotes_are_resolved_in_their_order(front: Front) -> None:
    found = front.json(f"/v3/scores/enwiki/?models=damaging&model_info={FORMULAS}")["enwiki"]["models"]["damaging"]
    thresholds = found["statistics"]["thresholds"]

    assert [len(thresholds[label]) for label in ("true", "false")] == [2, 1]
    assert all("threshold" in point for label in ("true", "false") for point in thresholds[label])


def test_all_wikis_are_asked_about(front: Front) -> None:
    assert front.json("/v3/scores/?model_info=type") == {
        wiki: {"models": {model: {"type": "GradientBoosting"} for model in ("damaging", "goodfaith")}}
        for wiki in ("enwiki", "frwiki")
    }


def test_what_is_asked_about_stands_beside_the_scores(front: Front) -> None:
    found = front.json("/v3/scores/enwiki/5/damaging?model_info=type")["enwiki"]

    assert found["models"] == {"damaging": {"type": "GradientBoosting"}}
    assert found["scores"].keys() == {"5"}


@pytest.mark.parametrize("path", ["/v3/scores/", "/v3/scores/enwiki/"])
@pytest.mark.parametrize("unknown", ["foo", "statistics.foo", 'statistics.thresholds.true."maximum nonsense"'])
def test_what_the_endpoint_does_not_know_is_a_bad_request(front: Front, path: str, unknown: str) -> None:
    status, code, message = front.error(f"{path}?model_info={unknown}")

    assert (status, code) == (400, "bad request")
    assert message.startswith("Model information could not be retrieved for '")


def test_an_answer_is_kept_for_everybody(front: Front, endpoint: EmulatedEndpoint) -> None:
    front.json("/v3/scores/enwiki/?models=damaging&model_info=type")
    calls = endpoint.summary()["info_calls"]

    front.at_once(["/v3/scores/enwiki/?models=damaging&model_info=type"] * 10)

    assert endpoint.summary()["info_calls"] == calls
    assert front.workers.tasks("document") == 1


def test_those_who_ask_at_once_share_one_question(front: Front) -> None:
    front.at_once(["/v3/scores/enwiki/?models=damaging&model_info=type"] * 10)

    assert [sent for sent in front.workers.sent if sent[1][0] == "information"] == front.workers.sent[:1]


def test_the_version_is_told_without_asking_the_endpoint(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(failures={"rate": 1, "status": 503})

    assert models(front, "models=damaging&model_info=version") == {"damaging": {"version": VERSION}}


def test_lift_wing_tells_versions_only(open_front: OpenFront) -> None:
    front = open_front(endpoint={"kind": "lift_wing"})

    assert models(front, "models=damaging&model_info=version") == {"damaging": {"version": VERSION}}
    assert front.json("/v1/scores/enwiki/damaging") == {"version": VERSION}
    assert front.error("/v3/scores/enwiki/?models=damaging&model_info=type") == (
        400,
        "bad request",
        "Model information could not be retrieved for 'type'",
    )


def test_an_endpoint_that_does_not_answer_is_overload(open_front: OpenFront) -> None:
    front = open_front(scoring_url="http://127.0.0.1:1")

    reply = front.get("/v3/scores/enwiki/?models=damaging&model_info=params")

    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert reply.json()["error"]["code"] == "server overloaded"


def test_an_endpoint_that_fails_takes_nothing_from_what_another_worker_has_found(
    open_front: OpenFront, redis: Redis
) -> None:
    services = open_front(scoring_url="http://127.0.0.1:1").workers.services
    services.documents.keep("params", {"information": {}}, seconds=PATIENCE_SECONDS)

    make_document(services, "information", "enwiki", "damaging", '["params"]', "params")

    assert redis.get(document_key("params")) == b'{"information":{}}'


def test_for_a_model_that_the_endpoint_lacks_it_is_not_asked_again_and_again(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(vanished_models=["goodfaith"])
    front = open_front(knows_versions=False)

    assert front.json("/v3/scores/")["enwiki"]["models"] == {"damaging": {"version": VERSION}}
    calls = endpoint.summary()["info_calls"]
    for _ in range(3):
        KINDS["versions"](front.workers.services, front.workers.services.wiki("enwiki"), "name")
    assert endpoint.summary()["info_calls"] == calls
