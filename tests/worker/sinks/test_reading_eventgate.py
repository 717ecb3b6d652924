"""Reading the replies of an EventGate, or of what stands in its place: pure, and nothing in them raises."""

import json
from typing import Any

import pytest

from tests.worker.sinks.posting import identity, scores
from worker.events.eventgate_replies import judged, text_of, verdicts_of
from worker.events.sinks import EventFailed, EventRefused


@pytest.mark.parametrize("wrong", [[1], {"a": 1}, 7, None, True])
def test_an_entry_whose_id_is_no_text_means_nobody_knows_which_event(wrong: Any) -> None:
    entries = {"error": [{"event": {"meta": {"id": wrong}}, "context": {"message": "x"}}]}
    verdicts = verdicts_of(207, json.dumps(entries).encode())
    assert verdicts is not None

    failures = judged([0, 1], scores(2), verdicts, everything=False, where="http://gate")

    assert failures == dict.fromkeys((0, 1), EventFailed("it was not accepted, and the reply does not say why"))


def test_an_entry_of_one_event_decides_about_that_one() -> None:
    entries = {"invalid": [{"event": {"meta": {"id": identity(1)}}, "context": {"errorsText": "wrong"}}]}
    verdicts = verdicts_of(207, json.dumps(entries).encode())
    assert verdicts is not None

    assert judged([0, 1], scores(2), verdicts, everything=False, where="") == {1: EventRefused("wrong")}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"detail": "gone"}', "gone"),
        (b'{"title": "Error", "detail": null}', "Error"),
        (b'{"detail": ["a"]}', "['a']"),
        (b"[]", ""),
        (b"<html>", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_the_sentence_of_a_problem_is_found_where_there_is_one(content: bytes, text: str) -> None:
    assert text_of(content) == text
