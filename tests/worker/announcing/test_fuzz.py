"""Thousands of events of edits with random fields: every one is what its closed schema allows."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from outbox import Edit
from tests.examples import examples
from tests.worker.announcing.announcements import announced, some_answers, some_edit
from worker.events.schemas import PREDICTION_CHANGE, REVISION_SCORE

EVENTS = examples(10_000)


@pytest.mark.property
def test_thousands_of_events_of_random_edits_are_all_valid() -> None:
    dice = random.Random(5)
    schemas: Counter[str] = Counter()
    while schemas.total() < EVENTS:
        streams = {model: "p" for model in ("damaging", "goodfaith") if dice.random() < 0.5}
        settings: dict[str, Any] = {
            "stream_of_model": dice.choice([None, None, "mediawiki.revision_score_"]),
            "prediction_streams": streams,
            "prediction_schema": dice.choice(["1.1.0", "1.3.0"]),
        }
        edit, answers = Edit.decode(some_edit(dice).encode()), some_answers(dice)

        events = announced(edit, answers, domain="zh.wikipedia.org", **settings)

        schemas.update(event["$schema"] for event in events)
        assert len({(event["meta"]["stream"], event["meta"]["id"]) for event in events}) == len(events)
        assert {event.get("rev_id") or event["revision"]["rev_id"] for event in events} == {edit.revision}
        # Who made the revision before may be told where this one's editor is hidden.
        of_the_edit = [{name: value for name, value in event.items() if name != "prior_state"} for event in events]
        assert edit.user is not None or "user_text" not in json.dumps(of_the_edit)
        assert edit.page is not None or "page_id" not in str([event.get("page", event) for event in of_the_edit])

    assert set(schemas) == {REVISION_SCORE, f"{PREDICTION_CHANGE}/1.1.0", f"{PREDICTION_CHANGE}/1.3.0"}
    assert min(schemas.values()) > EVENTS / 20
