"""Lift Wing's door: the same scores, in the shapes of its servers, with errors in the envelope of each."""

from typing import Any

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.web.conftest import OpenFront
from tests.web.documents import VERSIONS, scores
from tests.web.fronts import Front, Reply
from worker.emulators.scoring.shapes import (
    ARTICLE_QUALITY,
    ARTICLE_QUALITY_V2,
    prediction,
    probabilities,
    quality_score,
)

RISK = "revertrisk-language-agnostic"
MULTILINGUAL = "revertrisk-multilingual"
QUALITY, QUALITY_V2 = "articlequality", "articlequality_v2"


@pytest.fixture
def front(open_front: OpenFront) -> Front:
    models = (
        "damaging",
        "revertrisklanguageagnostic",
        "revertriskmultilingual",
        "articlequalitylanguageagnostic",
        "articlequality_v2",
    )
    return open_front(endpoint={"kind": "lift_wing"}, models=models, knows_versions=False)


def predict(front: Front, name: str, inputs: Any) -> Reply:
    return front.post(f"/v1/models/{name}:predict", json=inputs)


def risk(name: str, revision: int, wiki: str = "enwiki") -> dict[str, Any]:
    probability = probabilities(0, wiki, name, revision)
    return {
        "model_name": name,
        "model_version": {RISK: "3", MULTILINGUAL: "4"}[name],
        "wiki_db": wiki,
        "revision_id": revision,
        "output": {"prediction": prediction(probability), "probabilities": probability},
    }


def test_a_revscoring_server_answers_as_ores(open_front: OpenFront) -> None:
    front = open_front()

    assert predict(front, "enwiki-damaging", {"rev_id": 5}).json() == {
        "enwiki": {"models": {"damaging": VERSIONS["damaging"]}, "scores": scores(5, models=("damaging",))}
    }


def test_a_revscoring_server_gives_its_features_as_extended_output(open_front: OpenFront) -> None:
    entry = predict(open_front(), "enwiki-damaging", {"rev_id": 5, "extended_output": True}).json()

    assert entry["enwiki"]["scores"]["5"]["damaging"].keys() == {"score", "features"}


@pytest.mark.parametrize(
    "event",
    [
        {"$schema": "/mediawiki/revision/create/2.0.0", "rev_id": 5, "database": "enwiki"},
        {"$schema": "/mediawiki/page/change/1.1.0", "revision": {"rev_id": 5}, "wiki_id": "enwiki"},
    ],
)
@pytest.mark.parametrize("name", ["enwiki-damaging", RISK])
def test_an_event_is_asked_with_as_well(front: Front, event: dict[str, Any], name: str) -> None:
    plain = predict(front, name, {"rev_id": 5, "lang": "en"})

    assert (plain.status_code, predict(front, name, {"event": event}).json()) == (200, plain.json())


@pytest.mark.parametrize("name", [RISK, MULTILINGUAL])
def test_a_revert_risk_server_answers_for_the_wiki_of_a_language(front: Front, name: str) -> None:
    assert predict(front, name, {"rev_id": 5, "lang": "en"}).json() == risk(name, 5)
    assert predict(front, name, {"rev_id": 5, "lang": "fr"}).json() == risk(name, 5, "frwiki")


def test_several_instances_are_several_predictions(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[7])
    instances = [{"rev_id": revision, "lang": "en"} for revision in (5, 6, 7)]

    assert predict(front, RISK, {"instances": instances}).json() == {
        "predictions": [risk(RISK, 5), risk(RISK, 6)],
        "errors": ["Could not make prediction for revision 7 (en). Reason: revision_missing"],
    }


def test_article_quality_is_a_number_and_with_the_extended_output_a_class(front: Front) -> None:
    plain = predict(front, QUALITY, {"rev_id": 5, "lang": "en"}).json()
    extended = predict(front, QUALITY, {"rev_id": 5, "lang": "en", "extended_output": "true"}).json()
    probability = probabilities(0, "enwiki", ARTICLE_QUALITY, 5)

    assert plain == {
        "score": pytest.approx(quality_score(probability)),
        "model_name": "articlequality",
        "model_version": "1",
        "wiki_db": "enwiki",
        "revision_id": 5,
    }
    assert extended == plain | {"label": prediction(probability), "features": {}}


def test_its_second_version_gives_a_probability_for_each_class(front: Front) -> None:
    instances = [{"rev_id": revision, "lang": "en"} for revision in (5, 6)]
    reply = predict(front, QUALITY_V2, {"instances": instances}).json()
    probability = probabilities(0, "enwiki", ARTICLE_QUALITY_V2, 5)

    assert (reply["model_name"], reply["model_version"]) == ("articlequality", "2")
    assert len(reply["predictions"]) == 2
    assert reply["predictions"][0] == {
        "label": prediction(probability),
        "score": pytest.approx(quality_score(probability)),
        "prediction_probabilities": probability,
        "features": {},
    }


@pytest.mark.parametrize(
    ("name", "status", "document"),
    [
        (
            "enwiki-damaging",
            400,
            {"error": "The MW API does not have any info related to the rev-id provided as input (7)."},
        ),
        (RISK, 422, {"detail": "Could not make prediction for revision 7 (en). Reason: revision_missing"}),
    ],
)
def test_a_revision_that_is_gone_is_told_in_the_words_of_the_server(
    front: Front, endpoint: EmulatedEndpoint, name: str, status: int, document: dict[str, str]
) -> None:
    endpoint.set(missing_revisions=[7])
    reply = predict(front, name, {"rev_id": 7, "lang": "en"})

    assert (reply.status_code, reply.json()) == (status, document)


@pytest.mark.parametrize("name", ["enwiki-magic", "nowiki-damaging", "magic", "enwiki"])
def test_a_model_that_is_not_there_is_not_found(front: Front, name: str) -> None:
    reply = predict(front, name, {"rev_id": 7})

    assert (reply.status_code, reply.json()) == (404, {"error": f"Model with name {name} does not exist."})


@pytest.mark.parametrize(
    ("name", "inputs", "key"),
    [
        ("enwiki-damaging", {}, "error"),
        ("enwiki-damaging", [], "error"),
        ("enwiki-damaging", {"rev_id": "7"}, "error"),
        ("enwiki-damaging", {"rev_id": True}, "error"),
        ("enwiki-damaging", {"event": {"$schema": "/x/1"}}, "error"),
        ("enwiki-damaging", {"event": {"$schema": "/mediawiki/page/change/1.0.0"}}, "error"),
        (RISK, {"rev_id": 7}, "detail"),
        (RISK, {"rev_id": 7, "lang": "enwiki"}, "detail"),
        (RISK, {"rev_id": 7, "lang": "xx"}, "detail"),
        (RISK, {"lang": "en"}, "detail"),
        (RISK, {"instances": []}, "detail"),
        (RISK, {"instances": {}}, "detail"),
        (RISK, {"instances": [7]}, "detail"),
        (RISK, {"instances": [{"rev_id": 7, "lang": "en"}] * 21}, "detail"),
        (RISK, {"instances": [{"rev_id": 7, "lang": "en"}, {"rev_id": 8, "lang": "fr"}]}, "detail"),
        (MULTILINGUAL, {"instances": [{"rev_id": 7, "lang": "en"}]}, "detail"),
        (QUALITY, {"instances": [{"rev_id": 7, "lang": "en"}]}, "detail"),
        (QUALITY_V2, {"rev_id": 7, "lang": "en"}, "detail"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request_in_the_envelope_of_the_server(
    front: Front, name: str, inputs: Any, key: str
) -> None:
    reply = predict(front, name, inputs)

    assert reply.status_code == 400
    assert reply.json().keys() == {key}


@pytest.mark.parametrize(("name", "key"), [("enwiki-damaging", "error"), (RISK, "detail")])
def test_an_endpoint_that_fails_is_told_in_the_envelope_of_the_server(
    front: Front, endpoint: EmulatedEndpoint, name: str, key: str
) -> None:
    endpoint.set(failures={"rate": 1, "status": 503})
    reply = predict(front, name, {"rev_id": 7, "lang": "en"})

    assert (reply.status_code, reply.json().keys()) == (503, {key})
    assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]"])
def test_a_body_that_is_no_object_is_a_bad_request(front: Front, body: bytes) -> None:
    assert front.post("/v1/models/enwiki-damaging:predict", content=body).status_code == 400


def test_a_client_that_encodes_the_colon_is_understood(open_front: OpenFront) -> None:
    reply = open_front().post("/v1/models/enwiki-damaging%3Apredict", json={"rev_id": 5})

    assert reply.json()["enwiki"]["scores"] == scores(5, models=("damaging",))


def test_it_shares_its_calls_with_ores(open_front: OpenFront, endpoint: EmulatedEndpoint) -> None:
    front = open_front()
    front.json("/v3/scores/enwiki/5/damaging")
    calls = endpoint.summary()["calls"]

    assert predict(front, "enwiki-damaging", {"rev_id": 5}).status_code == 200
    assert endpoint.summary()["calls"] == calls


def test_a_model_server_says_that_it_is_ready(front: Front) -> None:
    assert front.json("/v1/models/enwiki-damaging") == {"name": "enwiki-damaging", "ready": True}
    assert front.get("/v1/models/magic").status_code == 404
