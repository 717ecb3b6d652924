"""From a line of a stream to rows and events: what a source says is announced, what it hides or leaves out is not."""

from typing import Any

import pytest

from outbox.database import Database
from tests.worker.incoming.stream_events import a_page_change, a_performer, a_recent_change, a_revision, line
from tests.worker.lines import classified_revisions, drain, promised_events
from worker.bootstrap import Services
from worker.incoming.replaying import ReplayReport, edits_in, replay


def announced(services: Services, database: Database, *events: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The events that announce the edits of *events*, by revision, once all are replayed and scored."""
    report = ReplayReport()
    lines = iter([line(event) for event in events])
    replay(edits_in(lines, report, wikis=["enwiki"]), {"enwiki": database}, report)
    assert report.left_out == {}
    drain(services)
    return {event["rev_id"]: event for event in promised_events(database)}


def test_an_edit_whose_user_is_suppressed_is_scored_and_announced_without_a_performer(
    services: Services, database: Database
) -> None:
    found = announced(
        services,
        database,
        a_recent_change(11, user=None),
        a_page_change(12, performer=None),
        a_recent_change(13) | {"user": None},
        a_page_change(14, performer=a_performer(user_text="Mallory"), revision=a_revision(14, is_editor_visible=False)),
    )

    assert classified_revisions(database) == {11, 12, 13, 14}
    assert [revision for revision, event in found.items() if "performer" in event or not event["scores"]] == []


def test_edits_with_invented_ids_between_real_ones_are_all_scored(services: Services, database: Database) -> None:
    found = announced(
        services,
        database,
        a_recent_change(500, id=1000),
        *(a_page_change(revision) for revision in (501, 502, 503)),
        a_recent_change(504, id=1002),
        a_recent_change(505, id=2**32),
    )

    assert set(found) == classified_revisions(database) == {500, 501, 502, 503, 504, 505}


@pytest.mark.parametrize("given", [9, None])
def test_a_page_id_is_announced_only_where_it_was_told(
    services: Services, database: Database, given: int | None
) -> None:
    found = announced(services, database, a_recent_change(321, page_id=given))

    assert found[321].get("page_id") == given


def test_who_is_autopatrolled_by_a_group_leaves_no_rows(services: Services, database: Database) -> None:
    groups = {301: "autopatrolled", 302: "sysop", 303: "user"}

    found = announced(
        services, database, *(a_page_change(n, performer=a_performer(groups=["*", g])) for n, g in groups.items())
    )

    assert set(found) == {301, 302, 303}
    assert classified_revisions(database) == {303}
