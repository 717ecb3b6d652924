"""A real worker for a wiki that is attached: whatever MediaWiki saves is scored and announced, with no call of ours."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import text

from outbox.database import Database
from outbox.mediawiki.attaching import TRIGGER
from tests.acceptance.commands import outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.running import running
from tests.acceptance.test_real_wiki import announced
from tests.migrations.attached_wiki import NEW, change, revision
from tests.migrations.real_wiki import real_wiki_at
from tests.migrations.schemas import connected, run
from tests.worker.lines import classified_revisions

ATTACHED = {"enwiki": {"emulated": False, "attached": True}}
EDITS = range(NEW, NEW + 60)
IMPORTED = range(NEW + 100, NEW + 120)
#: Saved by somebody who died before recentchanges was written.
LOST = NEW + 200


def test_every_edit_of_an_attached_wiki_is_scored_and_announced_and_no_import(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    url = mariadb_databases("enwiki")
    outbox = {"recent_change_seconds": 2}

    with (
        real_wiki_at(url) as database,
        running(tmp_path, {"enwiki": url}, wikis=ATTACHED, outbox=outbox) as here,
    ):
        attached = outpatrol(tmp_path, "migrate")
        run(database, *map(revision, IMPORTED))
        for number in EDITS:
            save_as_mediawiki(database, number)
        run(database, lost(LOST))
        here.until_all_is_kept()

        assert attached.code == 0, attached.output
        assert announced(tmp_path / "events") == {*EDITS, LOST}
        # What is there from before was never promised.
        assert classified_revisions(database) == {*EDITS, LOST, 745065890}
        assert left_out(here.logged("revisions_are_no_edits")) == set(IMPORTED)

        run(database, f"DROP TRIGGER {TRIGGER}")
        watched = outpatrol(tmp_path, "status")
        here.services.doorbell.ring("check_model_versions", "enwiki")
        here.until_logged("not_attached")

    assert watched.code == 3, watched.output


def test_every_edit_that_recentchanges_shows_is_scored_and_announced_where_no_trigger_can_be_made(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    url = mariadb_databases("enwiki")
    wikis = {"enwiki": {"emulated": False, "attached": True, "attached_by": "poll"}}

    with real_wiki_at(url) as database, running(tmp_path, {"enwiki": url}, wikis=wikis) as here:
        attached = outpatrol(tmp_path, "migrate")
        run(database, *map(revision, IMPORTED))
        for number in EDITS:
            save_as_mediawiki(database, number)
        here.until(lambda: announced(tmp_path / "events") >= {*EDITS}, "an event of every edit")
        here.until_all_is_kept()

        assert attached.code == 0, attached.output
        assert announced(tmp_path / "events") == {*EDITS}
        assert classified_revisions(database) == {*EDITS, 745065890}


def save_as_mediawiki(database: Database, number: int) -> None:
    """The edit in one transaction, at every third number after one that failed, and its change in one of its own."""
    if number % 3 == 0:
        with suppress(ZeroDivisionError), connected(database) as connection:
            connection.execute(text(revision(number)))
            raise ZeroDivisionError
    run(database, revision(number))
    run(database, change(number))


def lost(number: int) -> str:
    return revision(number).replace("'20221202120000'", "DATE_FORMAT(UTC_TIMESTAMP(), '%Y%m%d%H%i%s')")


def left_out(lines: list[dict[str, Any]]) -> set[int]:
    return {number for line in lines for number in line["revisions"]}
