"""Edits of a wiki that exists, replayed or heard: promised, and nothing of the wiki is written."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from outbox import EDITS
from outbox.database import Database, Engines
from tests.event_stream import EmulatedEventStream
from tests.migrations.real_wiki import make_real_wiki, their_rows
from tests.services import create_database, drop_database
from tests.worker.incoming.listeners import column, listen, position_of
from tests.worker.incoming.stream_events import a_page, a_page_change, a_recent_change, line
from worker.incoming.replaying import ReplayReport, edits_in, replay
from worker.upkeep.migrating import migrate

#: The wiki's own; and one on its page "Café Noir" under another number than the page has.
KNOWN = a_recent_change(1, revision={"new": 745065890, "old": 745065000}, title="Café Noir")
CLASH = a_page_change(745065891, page=a_page(6, page_title="Café_Noir"))


@pytest.fixture(params=["sqlite", "mariadb"])
def real_wiki(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A MediaWiki's database with our lanes beside its own tables."""
    engines = Engines()
    is_sqlite = request.param == "sqlite"
    name = re.sub(r"\W", "_", request.module.__name__)[-60:]
    if is_sqlite:
        url = f"sqlite:///{tmp_path_factory.mktemp('real') / 'enwiki.db'}"
    else:
        url = create_database(request.getfixturevalue("mariadb_url"), name)
    database = engines.open("enwiki", url)
    make_real_wiki(database)
    migrate(database)
    yield database
    engines.close()
    if not is_sqlite:
        drop_database(request.getfixturevalue("mariadb_url"), name)


def replayed(database: Database, *events: dict[str, Any]) -> ReplayReport:
    report = ReplayReport()
    rung: list[int | None] = []
    lines = iter([line(event) for event in events])
    edits = edits_in(lines, report, wikis=["enwiki"])
    replay(edits, {"enwiki": database}, report, saved=lambda edit: rung.append(edit.revision))
    assert len(rung) == report.edits
    return report


def promised(database: Database) -> int:
    return len(column(database, EDITS.messages, "payload"))


def test_replayed_edits_are_promised_and_nothing_of_the_wiki_is_written(real_wiki: Database) -> None:
    before = their_rows(real_wiki)

    report = replayed(real_wiki, KNOWN, CLASH, a_recent_change(3))

    assert (report.saved, report.promised, report.left_out) == ({}, {"enwiki": 3}, {})
    assert promised(real_wiki) == 3
    assert their_rows(real_wiki) == before


def test_what_is_replayed_again_is_promised_again(real_wiki: Database) -> None:
    replayed(real_wiki, KNOWN)

    assert replayed(real_wiki, KNOWN).promised == {"enwiki": 1}
    assert promised(real_wiki) == 2


def test_heard_edits_are_promised_with_the_position_and_nothing_of_the_wiki_is_written(
    real_wiki: Database, event_stream: EmulatedEventStream
) -> None:
    before = their_rows(real_wiki)
    event_stream.send(KNOWN, a_recent_change(2, title="Café Noir"), a_recent_change(3))

    run = listen(event_stream.stream(), {"enwiki": real_wiki}, limit=3)

    assert (run.listened.promised, run.listened.saved, run.rung) == ({"enwiki": 3}, {}, ["enwiki"] * len(run.rung))
    assert promised(real_wiki) == 3
    assert position_of(real_wiki, event_stream.stream()) is not None
    assert their_rows(real_wiki) == before


def test_an_emulated_wiki_beside_a_real_one_is_saved_as_ever(
    real_wiki: Database, wikis: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    before = their_rows(real_wiki)
    event_stream.send(a_recent_change(1), a_recent_change(2, wiki="frwiki"))

    run = listen(event_stream.stream(), {"enwiki": real_wiki, "frwiki": wikis["frwiki"]}, limit=2)

    assert (run.listened.promised, run.listened.saved) == ({"enwiki": 1}, {"frwiki": 1})
    assert their_rows(real_wiki) == before
