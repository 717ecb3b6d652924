"""The poll looks for edits and events each time, and now and then for what can wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from outbox import EDITS, Lane, record, record_payloads
from outbox.database import Database, Engines
from outbox.edits import Edit
from tests.builders import an_edit
from tests.migrations.attached_wiki import NEW, change, promised
from tests.migrations.real_wiki import real_wiki_at
from tests.migrations.schemas import run
from worker.events.file_sink import FILE
from worker.incoming.following import begin_following
from worker.scores.own_tables import BACKFILL
from worker.upkeep import polling
from worker.upkeep.migrating import migrate
from worker.upkeep.polling import PATIENT_POLLS, WikiPoll

LANES = [EDITS, FILE.lane, BACKFILL]


class Rings(list[tuple[str, str]]):
    """A bell that remembers for what it rang."""

    def turn(self, wiki: str, lane: str, *, after: float | None = None) -> None:
        self.append((wiki, lane))

    def turn_again(self, wiki: str, lane: str, *, after: float) -> None: ...

    def ring(self, task: str, wiki: str, *rest: str) -> None: ...

    def prompt(self, task: str, wiki: str) -> None: ...


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[Database]:
    engines = Engines()
    database = engines.open("frwiki", f"sqlite:///{tmp_path}/frwiki.db")
    migrate(database, emulated=False)
    yield database
    engines.close()


@contextmanager
def tables_asked(database: Database) -> Iterator[list[int]]:
    """How many tables each statement names."""
    found: list[int] = []

    def note(_1: object, _2: object, statement: str, *_: object) -> None:
        if count := statement.count("FROM "):
            found.append(count)

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def test_the_poll_promises_what_recentchanges_of_a_followed_wiki_has_and_rings_for_it(tmp_path: Path) -> None:
    with real_wiki_at(f"sqlite:///{tmp_path}/enwiki.db") as followed:
        migrate(followed)
        followed.run(begin_following)
        run(followed, change())
        poll, rings = WikiPoll([EDITS], followed=["enwiki"]), Rings()

        assert poll.ring_for([followed], rings).failed == {}
        assert rings == [("enwiki", EDITS.name)]
        assert [each.revision for each in promised(followed)] == [NEW]
        assert WikiPoll([EDITS]).ring_for([followed], Rings()).yes == []


def test_a_followed_wiki_without_recentchanges_costs_no_other_its_poll(wiki: Database, tmp_path: Path) -> None:
    promise(wiki, EDITS, an_edit(wiki="frwiki"))
    with real_wiki_at(f"sqlite:///{tmp_path}/enwiki.db") as followed:
        migrate(followed)
        followed.run(begin_following)
        run(followed, "DROP TABLE recentchanges")
        poll, rings = WikiPoll([EDITS], followed=["enwiki", "frwiki"]), Rings()
        for _ in range(2):
            found = poll.ring_for([followed, wiki], rings)
            assert "recentchanges" in str(found.failed["enwiki"])

    assert rings == [("frwiki", EDITS.name)] * 2


def test_who_waits_for_a_followed_wiki_has_rung_for_all_others_before(
    wiki: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings, rung_before = Rings(), list[tuple[str, str]]()

    def note(*_: object, **__: object) -> int:
        rung_before.extend(rings)
        return 0

    monkeypatch.setattr(polling, "promise_new", note)
    promise(wiki, EDITS, an_edit(wiki="frwiki"))
    with real_wiki_at(f"sqlite:///{tmp_path}/enwiki.db") as followed:
        migrate(followed)
        followed.run(begin_following)
        run(followed, change())
        WikiPoll([EDITS], followed=["enwiki"]).ring_for([followed, wiki], rings)

    assert rung_before == [("frwiki", EDITS.name)]


def test_nonsense_where_recentchanges_was_read_up_to_costs_no_other_its_poll(wiki: Database, tmp_path: Path) -> None:
    promise(wiki, EDITS, an_edit(wiki="frwiki"))
    with real_wiki_at(f"sqlite:///{tmp_path}/enwiki.db") as followed:
        migrate(followed)
        followed.run(begin_following)
        run(followed, change(), "UPDATE stream_position SET event_id = 'nonsense'")
        rings = Rings()
        found = WikiPoll([EDITS], followed=["enwiki"]).ring_for([followed, wiki], rings)

    assert found.failed.keys() == {"enwiki"}
    assert rings == [("frwiki", EDITS.name)]


def promise(database: Database, lane: Lane, edit: Edit) -> None:
    with database.transaction() as session:
        if lane is EDITS:
            record(session, edit)
        else:
            record_payloads(session, lane, [edit.encode()])


def test_of_six_polls_five_open_no_table_of_what_can_wait(wiki: Database) -> None:
    poll = WikiPoll(LANES, patient=[BACKFILL])
    with tables_asked(wiki) as asked:
        for _ in range(2 * PATIENT_POLLS):
            poll.ring_for([wiki], Rings())

    assert poll.tables == 7
    assert asked == 2 * [7, 4, 4, 4, 4, 4]


@pytest.mark.parametrize("lane", [EDITS, FILE.lane], ids=lambda lane: lane.name)
def test_every_poll_finds_edits_and_events(wiki: Database, lane: Lane) -> None:
    promise(wiki, lane, an_edit())
    poll, rings = WikiPoll(LANES, patient=[BACKFILL]), Rings()
    for _ in range(PATIENT_POLLS):
        poll.ring_for([wiki], rings)

    assert rings == [("frwiki", lane.name)] * PATIENT_POLLS


def test_edits_of_the_past_are_found_by_the_first_poll_and_by_every_sixth_one(wiki: Database) -> None:
    promise(wiki, BACKFILL, an_edit())
    poll = WikiPoll(LANES, patient=[BACKFILL])
    found = []
    for _ in range(PATIENT_POLLS + 1):
        rings = Rings()
        poll.ring_for([wiki], rings)
        found.append(bool(rings))

    assert found == [True, *[False] * (PATIENT_POLLS - 1), True]


def test_polls_of_one_server_do_not_count_for_another(wiki: Database, mariadb: Database) -> None:
    poll = WikiPoll(LANES, patient=[BACKFILL])
    with tables_asked(wiki) as asked, tables_asked(mariadb) as asked_too:
        for _ in range(PATIENT_POLLS):
            poll.ring_for([wiki], Rings())
            poll.ring_for([mariadb], Rings())

    for counts in (asked, asked_too):
        first, *others = counts
        assert others == [min(counts)] * (PATIENT_POLLS - 1)
        assert first > min(counts)


def test_wikis_of_one_server_are_asked_to_and_fro(mariadb: Database) -> None:
    engines, address = Engines(), mariadb.url.render_as_string(hide_password=False)
    one, other = (engines.open(name, address) for name in ("frwiki", "itwiki"))
    promise(mariadb, EDITS, an_edit())
    poll, orders = WikiPoll([EDITS]), []
    for _ in range(3):
        rings = Rings()
        poll.ring_for([one, other], rings)
        orders.append([name for name, _ in rings])
    engines.close()

    assert orders == [["frwiki", "itwiki"], ["itwiki", "frwiki"], ["frwiki", "itwiki"]]


def test_a_poll_of_no_wikis_asks_nobody() -> None:
    assert WikiPoll(LANES).ring_for([], Rings()).yes == []


def test_a_wiki_that_could_not_be_asked_comes_after_all_others_and_in_one_poll_at_a_time(
    wiki: Database, tmp_path: Path
) -> None:
    (tmp_path / "aawiki.db").write_bytes(b"no database" * 1000)
    engines = Engines()
    broken = engines.open("aawiki", f"sqlite:///{tmp_path}/aawiki.db")
    promise(wiki, EDITS, an_edit(wiki="frwiki"))
    poll, happened = WikiPoll([EDITS]), Rings()

    def note(*_: object) -> None:
        happened.append(("aawiki", "asked"))
        # Another poll comes while this one waits.
        assert poll.ring_for([broken, wiki], happened).failed.keys() <= {"aawiki"}

    try:
        assert poll.ring_for([broken, wiki], happened).failed.keys() == {"aawiki"}
        assert happened == [("frwiki", EDITS.name)]
        event.listen(broken.engine, "do_connect", note)
        assert poll.ring_for([broken, wiki], happened).failed.keys() == {"aawiki"}
    finally:
        engines.close()

    assert happened[1:] == [("frwiki", EDITS.name), ("aawiki", "asked"), ("frwiki", EDITS.name)]
