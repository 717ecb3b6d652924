"""Thousands of page changes, whole and damaged: each is refused as no edit, or leads to events that are valid."""

import copy
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_score
from tests.examples import examples
from tests.worker.announcing.announcements import announced
from worker.incoming.edits import NotAnEdit, edit_of

EVENTS = examples(10_000)
SOURCES = [
    json.loads(file.read_text())["source"]
    for file in sorted(Path(__file__).with_name("golden").glob("page_change*.json"))
]
#: In place of a value.
DAMAGES: list[Any] = [
    None,
    "",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [None],
    "\x00",
    2**31,
    2**63,
    "x" * 300,
    "2026-01-01T10:00:00Z",
]


def damaged(dice: random.Random, event: dict[str, Any]) -> dict[str, Any]:
    """*event* with up to three of its parts missing or replaced."""
    event = copy.deepcopy(event)
    for _ in range(dice.randrange(4)):
        part: Any = event
        while True:
            name = dice.choice(list(part))
            if not (isinstance(part[name], dict) and part[name]) or dice.random() < 0.2:
                break
            part = part[name]
        if dice.random() < 0.5:
            del part[name]
        else:
            part[name] = dice.choice(DAMAGES)
        if not event:
            break
    return event


@pytest.mark.property
def test_a_page_change_is_refused_as_no_edit_or_announced_as_the_schemas_want_it() -> None:
    dice = random.Random(11)
    fates: Counter[str] = Counter()
    for _ in range(EVENTS):
        event = damaged(dice, dice.choice(SOURCES))
        try:
            edit = edit_of(json.dumps(event))
        except NotAnEdit:
            fates["refused"] += 1
            continue
        version = dice.choice(["1.1.0", "1.3.0"])
        events = announced(edit, [a_score()], prediction_streams={"damaging": "p"}, prediction_schema=version)

        fates["announced"] += 1
        fates[version] += len(events) - 1
        assert events[0]["page_id"] == event["page"]["page_id"]
        of_the_edit = [{name: part for name, part in each.items() if name != "prior_state"} for each in events]
        assert edit.user is not None or "Alice" not in str(of_the_edit)

    assert min(fates.values()) > EVENTS / 10
