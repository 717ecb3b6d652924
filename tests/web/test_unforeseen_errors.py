"""What nobody foresaw, in a worker: whoever waits at the door learns at once that no answer comes this time."""

from typing import NoReturn

import pytest
from redis import Redis

from tests.web.documents import scores
from tests.web.fronts import Front
from worker.endpoints.in_loop import ClientInLoop
from worker.flight.documents import Documents, document_key
from worker.tasks import documents
from worker.web.shapes import FAILED

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
        ("thresholds", "/w/enwiki/api.php?action=query&meta=ores&format=json&formatversion=2"),
    ],
)
def test_who_waits_for_a_document_is_told_at_once_that_none_comes(
    front: Front, monkeypatch: pytest.MonkeyPatch, kind: str, path: str
) -> None:
    monkeypatch.setitem(documents.KINDS, kind, fail)

    assert front.get(path).status_code == 503


def test_a_document_that_is_there_outlives_a_failure(redis: Redis) -> None:
    here = Documents(redis)
    here.keep("thresholds:enwiki", {"a": 1}, seconds=60)
    here.keep_failure("thresholds:enwiki")

    assert redis.get(document_key("thresholds:enwiki")) == b'{"a":1}'


def test_a_failure_is_kept_for_a_moment_only(redis: Redis) -> None:
    Documents(redis).keep_failure("thresholds:enwiki")

    assert 0 < redis.pttl(document_key("thresholds:enwiki")) <= 2000
