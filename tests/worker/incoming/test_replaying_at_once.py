"""Several wikis are saved on at once, each in its order."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from outbox.database import Database, Engines
from outbox.errors import DatabaseNotMigrated
from outbox.page_changes import Promised
from tests.builders import an_edit
from tests.patience import until
from worker.incoming.replaying import AHEAD, ReplayReport, replay
from worker.upkeep.migrating import migrate

WIKIS = ("aawiki", "bbwiki", "ccwiki", "ddwiki", "eewiki")


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Mapping[str, Database]]:
    engines = Engines()
    opened = {wiki: engines.open(wiki, f"sqlite:///{tmp_path}/{wiki}.db") for wiki in WIKIS}
    for database in opened.values():
        migrate(database, emulated=True)
    yield opened
    engines.close()


def test_a_wiki_whose_disk_is_slow_holds_up_no_other(databases: Mapping[str, Database]) -> None:
    edits = [an_edit(wiki="aawiki"), *(an_edit(wiki="bbwiki", revision=number) for number in range(1, 9))]
    told: list[str] = []
    with ExitStack() as holding:
        # Nobody else can write there until all edits of the other wiki are saved.
        holding.enter_context(databases["aawiki"].transaction()).connection()

        def saved(edit: Promised) -> None:
            told.append(edit.wiki)
            if len(told) == 8:
                holding.close()

        report = ReplayReport()
        replay(edits, databases, report, saved=saved)

    assert told == ["bbwiki"] * 8 + ["aawiki"]
    assert report.saved == {"aawiki": 1, "bbwiki": 8}


def test_the_edits_of_a_wiki_are_saved_in_their_order(databases: Mapping[str, Database]) -> None:
    edits = [an_edit(wiki=wiki, revision=number) for number in range(1, 3 * AHEAD) for wiki in WIKIS]
    told: dict[str, list[int]] = {wiki: [] for wiki in WIKIS}

    replay(edits, databases, report := ReplayReport(), saved=lambda edit: told[edit.wiki].append(edit.revision or 0))

    assert told == {wiki: list(range(1, 3 * AHEAD)) for wiki in WIKIS}
    assert report.saved == dict.fromkeys(WIKIS, 3 * AHEAD - 1)


def test_an_edit_is_told_of_before_the_next_one_is_read(databases: Mapping[str, Database]) -> None:
    """A stream on standard input may be silent for long."""
    told: list[int] = []

    def slowly() -> Iterator[Promised]:
        for number in range(1, 4):
            yield an_edit(wiki="aawiki", revision=number)
            until(lambda number=number: len(told) == number, "the ring")  # type: ignore[misc]

    replay(slowly(), databases, ReplayReport(), saved=lambda edit: told.append(edit.revision or 0))

    assert told == [1, 2, 3]


def test_a_wiki_that_cannot_be_saved_on_ends_the_replay_with_its_sentence(
    databases: Mapping[str, Database], tmp_path: Path
) -> None:
    engines = Engines()
    empty = engines.open("ffwiki", f"sqlite:///{tmp_path}/ffwiki.db")
    edits = (an_edit(wiki=wiki, revision=number) for number in range(1, 10_000) for wiki in ("aawiki", "ffwiki"))
    report = ReplayReport()

    with pytest.raises(DatabaseNotMigrated, match="ffwiki"):
        replay(edits, {"ffwiki": empty, **databases}, report)

    engines.close()
    assert report.saved["aawiki"] <= 2 * AHEAD
