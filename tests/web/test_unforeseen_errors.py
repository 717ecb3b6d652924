"""What nobody foresaw, in a worker: whoever waits at the door learns at once that no answer comes this time."""

from typing import NoReturn

import pytest

from tests.web.documents import scores
from tests.web.fronts import Front
from worker.endpoints.in_loop import ClientInLoop
from worker.web.shapes import FAILED

NO_SCORE = {"error": {"type": "RequestError", "message": FAILED}}


async def break_down(*_: object) -> NoReturn:
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
