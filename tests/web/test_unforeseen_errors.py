"""What nobody foresaw, in a worker: whoever waits at the door learns at once that no answer comes this time."""

from typing import NoReturn

import pytest
from redis import Redis

from outbox.errors import DatabaseUnavailable
from tests.web.conftest import OpenFront
from tests.web.documents import scores
from tests.web.fronts import Front
from worker.endpoints.in_loop import ClientInLoop
from worker.flight.documents import document_key
from worker.tasks import documents
from worker.web.refusals import OVERLOADED, overloaded
from worker.web.shapes import FAILED

API = "/w/enwiki/api.php?action=query&format=json&formatversion=2"
META = f"{API}&meta=ores"
NO_SCORE = {"error": {"type": "RequestError", "message": FAILED}}


async def break_down(*_: object) -> NoReturn:
    raise RuntimeError("nobody foresaw this")


def fail(*_: object) -> NoReturn:
    raise RuntimeError("nobody foresaw this")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v3/scores/enwiki/1/damaging", {"1": {"damaging": NO_SCORE}}),
        ("/v3/scores/enwiki/1/", {"1": {"damaging": NO_SCORE, "goodfaith": NO_SCORE}}),
    ],
)
def test_who_waits_for_scores_is_told_at_once_and_not_kept_to_the_end(
    front: Front, monkeypatch: pytest.MonkeyPatch, path: str, expected: object
) -> None:
    monkeypatch.setattr(ClientInLoop, "score", break_down)

    assert front.json(path)["enwiki"]["scores"] == expected


def test_a_score_is_asked_for_again_after_an_unforeseen_error(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(ClientInLoop, "score", break_down)
        front.json("/v3/scores/enwiki/1/")
        front.workers.until_idle()

    assert front.json("/v3/scores/enwiki/1/")["enwiki"]["scores"] == scores(1)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("information", "/v3/scores/enwiki/?models=damaging&model_info=statistics"),
        ("thresholds", META),
        ("stored", f"{API}&prop=revisions&revids=1"),
    ],
)
def test_who_waits_for_a_document_is_told_at_once_that_none_comes(
    front: Front, monkeypatch: pytest.MonkeyPatch, kind: str, path: str
) -> None:
    monkeypatch.setitem(documents.KINDS, kind, fail)

    reply = front.get(path)

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert reply.json() == overloaded().document


def test_who_waits_for_the_topics_of_a_page_is_told_at_once_as_lift_wing_would(
    open_front: OpenFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = open_front(endpoint={"kind": "lift_wing"}, models=("outlinktopic",))
    monkeypatch.setitem(documents.KINDS, "latest", fail)

    reply = front.post("/v1/models/outlink-topic-model:predict", json={"page_title": "Owl", "lang": "en"})

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert reply.json() == {"error": OVERLOADED}


def test_who_waits_for_a_document_hears_at_once_of_a_database_that_is_away(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise DatabaseUnavailable("enwiki: its database does not answer")

    monkeypatch.setattr(documents, "stored_scores", refuse)

    assert front.get(f"{API}&prop=revisions&revids=1").status_code == 503


def test_scores_are_had_though_the_versions_could_not_be_looked_up(
    open_front: OpenFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(documents.KINDS, "versions", fail)
    front = open_front(knows_versions=False)

    found = front.json("/v3/scores/enwiki/1/damaging")["enwiki"]["scores"]

    assert found == scores(1, models=("damaging",))


def test_a_document_is_asked_for_again_once_a_moment_has_passed(
    front: Front, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setitem(documents.KINDS, "thresholds", fail)
        front.get(META)
        front.workers.until_idle()
    redis.delete(document_key("enwiki:thresholds"))

    assert front.get(META).status_code == 200
