"""What streams say and was once handled wrongly, through a real worker: kept, scored and announced rightly."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from outbox.mediawiki.schema import recentchanges
from tests.acceptance.commands import outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.running import running
from tests.event_files import events_in
from tests.worker.incoming.stream_events import a_page, a_page_change, a_performer, a_recent_change, a_revision, line
from tests.worker.lines import classified_revisions

HIDDEN = [a_recent_change(101, user=None), a_recent_change(102) | {"user": None}, a_page_change(103, performer=None)]
#: Between two changes with numbers of their own three that have none.
NUMBERED = [
    a_recent_change(111, id=1000),
    *(a_page_change(revision) for revision in (112, 113, 114)),
    a_recent_change(115, id=1002),
    a_recent_change(116, id=2**32),
]
TRUSTED = [a_page_change(121, performer=a_performer(groups=["*", "autopatrolled"]))]
TOLD = [
    a_page_change(
        131, page=a_page(131, is_redirect=True), prior_state={"revision": {"rev_id": 500_131, "rev_size": 77}}
    )
]
LEFT_OUT = [
    a_page_change(2**32, revision=a_revision(2**32)),
    a_recent_change(141) | {"$schema": "/mediawiki/revision/create/2.0.0"},
]
ALL = [*HIDDEN, *NUMBERED, *TRUSTED, *TOLD]
REVISIONS = {101, 102, 103, 111, 112, 113, 114, 115, 116, 121, 131}


def test_each_case_is_kept_scored_and_announced_as_it_was_told(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    (tmp_path / "told.ndjson").write_bytes(b"".join(map(line, [*ALL, *LEFT_OUT])))

    with running(tmp_path, {"enwiki": sqlite_databases("enwiki")}) as here:
        replayed = outpatrol(tmp_path, "replay", "told.ndjson", "--json")
        here.until_all_is_kept()
        database = here.services.wiki("enwiki").database
        scored = classified_revisions(database)
        with database.reading() as connection:
            rows = connection.execute(select(recentchanges.c.rc_this_oldid, recentchanges.c.rc_old_len))
            sizes = {row.rc_this_oldid: row.rc_old_len for row in rows}

    assert replayed.code == 0, replayed.output
    assert json.loads(replayed.out)["saved"] == {"enwiki": len(REVISIONS)}
    assert "listen to mediawiki.page_change.v1" in replayed.output
    events = announced(tmp_path / "events")
    assert events.keys() == REVISIONS
    # Members of a trusted group leave no rows.
    assert scored == REVISIONS - {121}
    assert all(event["scores"] and "errors" not in event for event in events.values())
    assert {revision for revision, event in events.items() if "performer" not in event} == {101, 102, 103}
    assert {revision for revision, event in events.items() if "page_id" in event} == {103, 112, 113, 114, 121, 131}
    assert (events[131]["page_is_redirect"], sizes[131]) == (True, 77)


def announced(events: Path) -> dict[int, dict[str, Any]]:
    """The events by revision, of which each has one."""
    found = events_in(events)
    assert len({event["meta"]["id"] for event in found}) == len(REVISIONS)
    return {event["rev_id"]: event for event in found}
