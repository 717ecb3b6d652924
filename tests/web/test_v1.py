"""ORES' v1, with and without its name, as wikimedia/ores tests/wsgi/tests/test_server.py has it."""

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.web.documents import VERSION, error, gone, score
from tests.web.fronts import Front

#: Not in the path before the first version that had a number.
PREFIXES = pytest.mark.parametrize("prefix", ["", "/v1"])


@PREFIXES
def test_the_wikis_are_told(front: Front, prefix: str) -> None:
    assert front.json(f"{prefix}/scores/") == {"contexts": ["enwiki", "frwiki"]}


@PREFIXES
def test_one_score_stands_under_its_revision(front: Front, prefix: str) -> None:
    assert front.json(f"{prefix}/scores/enwiki/damaging/5") == {"5": score("damaging", 5)}


@PREFIXES
def test_scores_of_one_model_stand_under_their_revisions(front: Front, prefix: str) -> None:
    assert front.json(f"{prefix}/scores/enwiki/damaging/?revids=5|7") == {
        "5": score("damaging", 5),
        "7": score("damaging", 7),
    }


@PREFIXES
def test_scores_of_several_models_stand_under_revision_and_model(front: Front, prefix: str) -> None:
    assert front.json(f"{prefix}/scores/enwiki/?models=damaging|goodfaith&revids=5") == {
        "5": {"damaging": score("damaging", 5), "goodfaith": score("goodfaith", 5)}
    }


def test_errors_stand_in_place_of_scores(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[7])

    assert front.json("/v1/scores/enwiki/damaging/7") == {"7": gone(7)}


def test_without_revisions_all_that_is_known_of_the_models_is_told(front: Front) -> None:
    of_wiki, of_model = front.json("/v1/scores/enwiki/"), front.json("/v1/scores/enwiki/damaging/")

    assert of_wiki["models"].keys() == {"damaging", "goodfaith"}
    assert of_model == of_wiki["models"]["damaging"]
    assert of_model.keys() == {"version", "type", "params", "environment", "statistics"}
    assert of_model["version"] == VERSION


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/scores/noowiki/", "No scorers available for noowiki"),
        ("/v1/scores/enwiki/norevic", "Models ('norevic',) not available for enwiki"),
    ],
)
def test_what_is_not_there_is_not_found(front: Front, path: str, message: str) -> None:
    assert front.get(path).status_code == 404
    assert front.get(path).json()["error"] == error("not found", message)
