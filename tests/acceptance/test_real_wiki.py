"""A real worker for a wiki that exists: edits are promised, scored and announced, its own tables not changed."""

import gzip
import json
from pathlib import Path
from typing import Any

from outbox.database import Engines
from tests.acceptance.commands import outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.running import running
from tests.event_files import events_in
from tests.migrations.real_wiki import CORE, make_real_wiki, their_rows
from tests.worker.incoming.stream_events import a_recent_change, line
from tests.worker.lines import classified_revisions

REVISIONS = range(745065890, 745065900)


def a_cafe_edit(number: int) -> dict[str, Any]:
    """An edit of the wiki's page "Café Noir", the first of them one that the wiki has already."""
    return a_recent_change(number, title="Café Noir", page_id=6, revision={"new": number, "old": number - 1})


def test_what_is_replayed_into_a_real_wiki_is_scored_and_announced_and_nowhere_written(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    url = new_database("enwiki")
    engines = Engines()
    database = engines.open("enwiki", url)
    make_real_wiki(database)
    before = their_rows(database, CORE)
    (tmp_path / "edits.ndjson.gz").write_bytes(
        gzip.compress(b"".join(line(a_cafe_edit(number)) for number in REVISIONS))
    )

    with running(tmp_path, {"enwiki": url}, wikis={"enwiki": {"emulated": False}}) as here:
        replayed = outpatrol(tmp_path, "replay", "edits.ndjson.gz", "--json")
        here.until_all_is_kept()

    assert replayed.code == 0, replayed.output
    assert json.loads(replayed.out)["promised"] == {"enwiki": len(REVISIONS)}
    assert "10 edits promised, not saved" in replayed.err
    assert announced(tmp_path / "events") == set(REVISIONS)
    assert classified_revisions(database) == set(REVISIONS)
    assert their_rows(database, CORE) == before
    engines.close()


def announced(events: Path) -> set[int]:
    return {event["rev_id"] for event in events_in(events)}
