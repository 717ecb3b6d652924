"""Lines of page changes are replayed as those of recent changes are."""

import gzip
from pathlib import Path
from typing import Any

from outbox.database import Database
from tests.worker.incoming.listeners import revisions
from tests.worker.incoming.stream_events import a_page, a_page_change, a_recent_change, line
from worker.incoming.replaying import ReplayReport, edits_in, lines_of, replay


def replayed(database: Database, *events: dict[str, Any]) -> ReplayReport:
    report = ReplayReport()
    lines = iter([line(event) for event in events])
    replay(edits_in(lines, report, wikis=["enwiki"]), {"enwiki": database}, report)
    return report


def test_page_changes_are_replayed(database: Database) -> None:
    replayed(database, *(a_page_change(number) for number in range(1, 11)))

    assert revisions(database) == list(range(1, 11))


def test_both_formats_may_stand_in_one_file_and_an_edit_in_both(database: Database) -> None:
    report = replayed(database, a_page_change(1), a_recent_change(1), a_recent_change(2), a_page_change(2))

    assert report.saved == {"enwiki": 2}
    assert report.left_out == {"saved before": 2}


def test_a_title_goes_to_the_page_that_has_it_now(database: Database) -> None:
    changes = [a_page_change(number, page=a_page(number, page_title="Foo")) for number in (1, 2, 3)]

    assert replayed(database, *changes).saved == {"enwiki": 3}


def test_compressed_page_changes_are_replayed(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "page_change.ndjson.gz"
    file.write_bytes(gzip.compress(line(a_page_change(1)) + line(a_page_change(2))))
    report = ReplayReport()

    with lines_of(file) as lines:
        replay(edits_in(lines, report, wikis=["enwiki"]), {"enwiki": database}, report)

    assert revisions(database) == [1, 2]
