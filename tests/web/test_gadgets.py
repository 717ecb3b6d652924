"""For gadgets: stored scores and thresholds, as the action API of a wiki with Extension:ORES gives them."""

from typing import Any

import pytest

from tests.builders import edits
from tests.web.conftest import OpenFront
from tests.web.documents import VERSIONS, score
from tests.web.fronts import Front
from tests.worker.lines import drain, save

API = "/w/enwiki/api.php?action=query&format=json"


@pytest.fixture
def front(open_front: OpenFront) -> Front:
    """Revisions 1 and 2 are stored."""
    front = open_front()
    services = front.workers.services
    save(services.wiki("enwiki").database, edits(2))
    drain(services)
    return front


def stored(revision: int) -> dict[str, Any]:
    """As the columns hold it: three decimals."""
    found = {}
    for model in ("damaging", "goodfaith"):
        true = min(0.999, round(score(model, revision)["probability"]["true"], 3))
        found[model] = {"false": round(1 - true, 3), "true": true}
    return found


def test_scores_stand_with_their_revisions_under_the_pages(front: Front) -> None:
    assert front.json(f"{API}&prop=revisions&rvprop=ids|oresscores&revids=1|2") == {
        "batchcomplete": True,
        "query": {
            "pages": [
                {"pageid": 1, "revisions": [{"revid": 1, "oresscores": stored(1)}]},
                {"pageid": 2, "revisions": [{"revid": 2, "oresscores": stored(2)}]},
            ]
        },
    }


@pytest.mark.parametrize("name", ["recentchanges", "watchlist", "usercontribs"])
def test_scores_stand_in_a_list(front: Front, name: str) -> None:
    assert front.json(f"{API}&list={name}&revids=2|1")["query"] == {
        name: [{"revid": 2, "oresscores": stored(2)}, {"revid": 1, "oresscores": stored(1)}]
    }


def test_a_revision_that_is_not_there_is_told(front: Front) -> None:
    found = front.json(f"{API}&prop=revisions&revids=1|9|-3")

    assert found["badrevids"] == {"9": {"revid": 9, "missing": True}, "-3": {"revid": -3, "missing": True}}
    assert front.json(f"{API}&list=recentchanges&revids=9")["query"]["recentchanges"] == [
        {"revid": 9, "oresscores": []}
    ]


def test_models_and_thresholds_are_told(front: Front) -> None:
    assert front.json(f"{API}&meta=ores")["query"]["ores"] == {
        "baseurl": "http://front/",
        "wikiid": "enwiki",
        "models": VERSIONS,
        "excludebots": True,
        "damagingthresholds": {"maybebad": 0.149, "likelybad": 0.629, "verylikelybad": 0.944},
        "namespaces": list(range(16)),
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/w/nowiki/api.php?action=query&revids=1", 404),
        ("/w/enwiki/api.php?action=edit", 400),
        ("/w/enwiki/api.php?revids=x", 400),
        (f"/w/enwiki/api.php?revids={'|'.join(map(str, range(51)))}", 400),
    ],
)
def test_what_cannot_be_answered_is_refused(front: Front, path: str, status: int) -> None:
    assert front.get(path).status_code == status
