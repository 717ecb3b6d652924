"""Lift Wing's server of topics at the door: asked for pages, answered from the scores of their revisions."""

import json
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from outbox.mediawiki.schema import article_key
from tests.builders import edits, some_settings
from tests.emulated_wiki import emulated_wiki
from tests.endpoint import EmulatedEndpoint
from tests.web.conftest import OpenFront
from tests.web.fronts import Front, Reply
from tests.worker.lines import save
from worker.bootstrap import build_services
from worker.emulators.scoring.shapes import OUTLINK_TOPICS, probabilities
from worker.flight.documents import document_key
from worker.tasks.documents import KINDS

NAME = "outlink-topic-model"
SITE = "https://en.wikipedia.org/wiki"


@pytest.fixture
def front(open_front: OpenFront) -> Front:
    """enwiki has the pages 1 and 2, each with the revision of that number."""
    front = open_front(endpoint={"kind": "lift_wing"}, models=("outlinktopic",), knows_versions=False)
    save(front.workers.services.wiki("enwiki").database, edits(2))
    return front


def predict(front: Front, inputs: Any) -> Reply:
    return front.post(f"/v1/models/{NAME}:predict", json=inputs)


def topics(revision: int, article: str, threshold: float = 0.5) -> dict[str, Any]:
    best_first = sorted(probabilities(0, "enwiki", OUTLINK_TOPICS, revision).items(), key=lambda each: -each[1])
    results = [{"topic": topic, "score": pytest.approx(each)} for topic, each in best_first if each >= threshold]
    return {"prediction": {"article": article, "results": results}}


def title_of(revision: int) -> str:
    return edits(2)[revision - 1].title


def test_a_page_is_asked_for_by_its_id_or_its_title(front: Front, endpoint: EmulatedEndpoint) -> None:
    by_id = predict(front, {"page_id": 2, "lang": "en"})
    by_title = predict(front, {"page_title": title_of(2), "wiki_id": "enwiki"})

    assert by_id.json() == topics(2, f"{SITE}?curid=2")
    assert by_title.json() == topics(2, f"{SITE}/{title_of(2)}")
    assert endpoint.summary()["scores"] == 1


@pytest.mark.parametrize(("inputs", "threshold"), [({"threshold": 0.1}, 0.1), ({"debug": True}, 0.0)])
def test_topics_are_given_from_the_threshold_on(front: Front, inputs: dict[str, Any], threshold: float) -> None:
    found = predict(front, {"page_id": 1, "lang": "en"} | inputs).json()

    assert found == topics(1, f"{SITE}?curid=1", threshold)


def test_a_revision_that_is_named_is_the_one_that_is_scored(front: Front) -> None:
    assert predict(front, {"page_id": 1, "revision_id": 2, "lang": "en"}).json() == topics(2, f"{SITE}?curid=1")


@pytest.mark.parametrize(
    "event",
    [
        {"$schema": "/mediawiki/revision/create/2.0.0", "rev_id": 2, "page_id": 2, "database": "enwiki"},
        {
            "$schema": "/mediawiki/page/change/1.1.0",
            "revision": {"rev_id": 2},
            "page": {"page_id": 2},
            "wiki_id": "enwiki",
        },
    ],
)
def test_an_event_is_asked_with_as_well(front: Front, event: dict[str, Any]) -> None:
    assert predict(front, {"event": event}).json() == topics(2, f"{SITE}?curid=2")


@pytest.mark.parametrize(
    ("inputs", "detail"),
    [
        ({"page_title": "Nowhere"}, "Cannot fetch Nowhere on en.wikipedia.org: MediaWiki API error 'missingtitle'."),
        ({"page_id": 99}, "Cannot fetch page 99 on en.wikipedia.org: MediaWiki API error 'nosuchpageid'."),
        (
            {"page_id": 1, "revision_id": 7},
            "Cannot fetch revision 7 of page 1 on en.wikipedia.org: MediaWiki API error 'nosuchrevid'.",
        ),
    ],
)
def test_what_is_not_there_is_told_with_the_name_that_mediawiki_has_for_it(
    front: Front, endpoint: EmulatedEndpoint, inputs: dict[str, Any], detail: str
) -> None:
    endpoint.set(missing_revisions=[7])
    save(front.workers.services.wiki("enwiki").database, [edits(1)[0].model_copy(update={"revision": 7})])
    reply = predict(front, inputs | {"lang": "en"})

    assert (reply.status_code, reply.json()) == (400, {"detail": detail})


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        [],
        {"page_id": 1},
        {"lang": "en"},
        {"page_id": 1, "lang": 7},
        {"page_id": 1, "lang": "xx"},
        {"page_id": 1, "wiki_id": "nowiki"},
        {"page_id": 1, "wiki_id": ["enwiki"]},
        {"page_id": "1", "lang": "en"},
        {"page_id": True, "lang": "en"},
        {"page_title": 7, "lang": "en"},
        {"page_title": "x" * 256, "lang": "en"},
        {"page_id": 1, "page_title": "One", "lang": "en"},
        {"page_id": 1, "lang": "en", "threshold": 1},
        {"page_id": 1, "lang": "en", "revision_id": "7"},
        {"page_id": 1, "lang": "en", "features_str": "Q1 Q2"},
        {"event": {"$schema": "/x/1"}},
        {"event": {"$schema": "/mediawiki/page/change/1.0.0", "wiki_id": "enwiki"}},
    ],
)
def test_what_cannot_be_read_is_a_bad_request(front: Front, inputs: Any) -> None:
    reply = predict(front, inputs)

    assert reply.status_code == 400
    assert reply.json().keys() == {"error"}


def test_a_page_that_no_worker_looks_up_in_time_is_a_time_out(open_front: OpenFront) -> None:
    front = open_front(endpoint={"kind": "lift_wing"}, models=("outlinktopic",), web={"timeout_seconds": 0.3})
    front.workers.are_there = False

    assert predict(front, {"page_id": 1, "lang": "en"}).status_code == 504


def test_a_page_that_the_tables_do_not_have_is_looked_up_in_the_wikis_api(
    database_urls: str, redis: Redis, redis_url: str
) -> None:
    with emulated_wiki() as wiki:
        wiki.has("Earth", 42, [7])
        settings = some_settings(database_url=database_urls, redis_url=redis_url, endpoint={"contact": "a@example.org"})
        enwiki = settings.wikis["enwiki"].model_copy(update={"api_url": wiki.url})
        settings = settings.model_copy(update={"wikis": {"enwiki": enwiki}})
        with closing(build_services(settings, send=lambda *_: None)) as services:
            for title in ("Earth", "Nowhere"):
                KINDS["latest"](services, services.wiki("enwiki"), json.dumps({"page_title": title}), title)

    assert redis.get(document_key("Earth")) == b'{"revision":7}'
    assert redis.get(document_key("Nowhere")) == b"{}"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("douglas Adams", "Douglas_Adams"),
        ("  Douglas__Adams_", "Douglas_Adams"),
        ("écriture", "Écriture"),
        ("E\u0301criture", "Écriture"),
        ("ßeta", "ßeta"),
        ("", ""),
    ],
)
def test_a_title_is_found_however_people_write_it(written: str, key: str) -> None:
    assert article_key(written) == key
