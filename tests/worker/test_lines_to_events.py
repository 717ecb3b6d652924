"""From a line of a stream to the event: what the line says is in the event, and nothing else."""

import json
from typing import Any

from outbox.database import Database
from tests.worker.conftest import BuildServices
from tests.worker.incoming.stream_events import a_page, a_page_change, a_performer, a_recent_change, a_revision, line
from tests.worker.lines import drain, promised_events
from tests.worker.schema import validated
from worker.incoming.replaying import ReplayReport, edits_in, replay

TEMPORARY = a_performer(user_text="~2026-1", groups=["*", "temp"], is_temp=True)
LINES = [
    a_recent_change(1),
    a_recent_change(2, user=None),
    a_page_change(3, page=a_page(3, is_redirect=True), prior_state={"revision": {"rev_id": 2, "rev_size": 100}}),
    a_page_change(4, performer=None),
    a_page_change(5, performer=TEMPORARY, page=a_page(5, is_redirect=None), revision=a_revision(5, rev_parent_id=None)),
]


def test_what_a_line_told_is_in_the_events_and_nothing_else(database: Database, services_for: BuildServices) -> None:
    report = ReplayReport()
    replay(edits_in(iter(map(line, LINES)), report, wikis=["enwiki"]), {"enwiki": database}, report)
    assert report.complaints == []

    drain(services_for(models=["damaging"], events={"prediction_streams": {"damaging": "p"}}))

    scores: dict[int, dict[str, Any]] = {}
    predictions: dict[int, dict[str, Any]] = {}
    for promised in promised_events(database):
        event = validated(json.dumps(promised))
        if "rev_id" in event:
            scores[event["rev_id"]] = event
        else:
            predictions[event["revision"]["rev_id"]] = event
    assert {revision: event.get("page_id") for revision, event in scores.items()} == {
        1: None,
        2: None,
        3: 3,
        4: 4,
        5: 5,
    }
    assert {revision for revision, event in scores.items() if "performer" not in event} == {2, 4}
    assert scores[1]["performer"] == {"user_text": "Alice"}
    assert scores[5]["performer"]["user_groups"] == ["*", "temp"]
    assert {revision: event.get("page_is_redirect") for revision, event in scores.items()} == {
        1: None, 2: None, 3: True, 4: False, 5: None
    }  # fmt: skip
    # Whose page nobody knows has none.
    assert predictions.keys() == {3, 4, 5}
    assert predictions[3]["prior_state"] == {"revision": {"rev_id": 2, "rev_size": 100}}
    assert "performer" not in predictions[4]
    assert (predictions[5]["changelog_kind"], predictions[5]["page_change_kind"]) == ("update", "edit")
    assert "rev_parent_id" not in predictions[5]["revision"]
