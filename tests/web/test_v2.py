"""ORES' v2, to the field, as wikimedia/ores tests/wsgi/tests/test_server.py and its specification have it."""

import json
from urllib.parse import quote

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.web.documents import VERSION, VERSIONS, error, gone, score
from tests.web.fronts import Front

EVENT = {
    "database": "enwiki",
    "rev_id": 7,
    "rev_parent_id": 6,
    "page_namespace": 0,
    "meta": {"stream": "mediawiki.revision-create"},
}


def test_all_wikis_are_told_with_their_models(front: Front) -> None:
    assert front.json("/v2/scores") == {"scores": {"enwiki": VERSIONS, "frwiki": VERSIONS}}


def test_the_models_of_a_wiki_are_told(front: Front) -> None:
    assert front.json("/v2/scores/enwiki/") == {"scores": {"enwiki": VERSIONS}}
    assert front.json("/v2/scores/enwiki/damaging") == {"scores": {"enwiki": {"damaging": {"version": VERSION}}}}


def test_what_is_known_of_a_model_is_told_beside_its_version(front: Front) -> None:
    assert front.json("/v2/scores/enwiki/damaging?model_info=type") == {
        "scores": {"enwiki": {"damaging": {"version": VERSION, "info": {"type": "GradientBoosting"}}}}
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v2/scores/enwiki/damaging/5/",
        "/v2/scores/enwiki/damaging?revids=5",
        "/v2/scores/enwiki?models=damaging&revids=5",
    ],
)
def test_scores_are_told_by_model_and_revision(front: Front, path: str) -> None:
    assert front.json(path) == {
        "scores": {"enwiki": {"damaging": {"version": VERSION, "scores": {"5": score("damaging", 5)}}}}
    }


def test_the_precached_address_of_the_documents_is_answered_as_any_other(front: Front) -> None:
    assert front.json("/v2/scores/enwiki/damaging/745065890/?precache=true") == front.json(
        "/v2/scores/enwiki/damaging/745065890/"
    )


def test_errors_stand_among_the_scores(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[7])

    assert front.json("/v2/scores/enwiki/damaging/7")["scores"]["enwiki"]["damaging"]["scores"] == {"7": gone(7)}


def test_features_stand_beside_the_scores(front: Front) -> None:
    found = front.json("/v2/scores/enwiki/damaging/5?features")["scores"]["enwiki"]["damaging"]

    assert found["scores"] == {"5": score("damaging", 5)}
    assert found["features"] == {"5": {"feature.revision.user.is_bot": False, "feature.revision.chars": 5}}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v2/scores/noowiki/", "No scorers available for noowiki"),
        ("/v2/scores/enwiki/revidd", "Models ('revidd',) not available for enwiki"),
    ],
)
def test_what_is_not_there_is_not_found(front: Front, path: str, message: str) -> None:
    assert front.get(path).status_code == 404
    assert front.get(path).json()["error"] == error("not found", message)


@pytest.mark.parametrize("times", [1, 2])
def test_an_event_is_precached_however_often_it_was_encoded(front: Front, times: int) -> None:
    text = json.dumps(EVENT)
    for _ in range(times):
        text = quote(text)

    assert front.json(f"/v2/precache?event={text}")["scores"]["enwiki"]["damaging"]["scores"] == {
        "7": score("damaging", 7)
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [("", "Must provide an 'event' parameter"), ("?event={", "Can not parse event argument as JSON blob")],
)
def test_an_event_that_cannot_be_read_is_a_bad_request(front: Front, query: str, message: str) -> None:
    assert front.error(f"/v2/precache/{query}") == (400, "bad request", message)
