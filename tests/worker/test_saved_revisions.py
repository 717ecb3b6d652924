"""Edits of an attached wiki: what MediaWiki has not written yet is waited for, and what is no edit is left out."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from outbox import EDITS, Dead, Delivered, Edit, PatrolStatus, RetryLater, record_payloads
from outbox.database import Database
from outbox.hiding import Hidden, rewritten
from outbox.mediawiki.revisions import FoundRevision, find_revisions
from outbox.mediawiki.schema import actor, archive, page, recentchanges
from outbox.mediawiki.schema import revision as revision_table
from outbox.saved_revisions import SavedRevision
from tests.builders import NOON, a_claim, an_edit
from tests.migrations.attached_wiki import NEW, PAGE, PARENT, change, make_attached, revision
from tests.migrations.schemas import query, run
from tests.services import create_database, drop_database
from tests.wiki_tables import patient_engines
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, drain, make_due, promised_events, set_attempts, status
from worker.bootstrap import Services
from worker.scores.saved_revisions import what_it_is

PATIENCE = timedelta(seconds=60)
SAVED = SavedRevision(wiki="enwiki", revision=1001, saved_at=NOON)
#: Of a web server whose clock is a little behind.
EDIT = an_edit(timestamp=NOON - timedelta(seconds=30))
IMPORTED = an_edit(timestamp=NOON - timedelta(days=4000))


def found(edit: Edit | None = EDIT, **flags: bool) -> FoundRevision:
    return FoundRevision(edit=edit, **flags)


def after(seconds: float, known: FoundRevision | None) -> object:
    """What becomes of a message that is claimed so many seconds after its edit."""
    claim = a_claim(claimed_at=NOON + timedelta(seconds=seconds))
    return what_it_is(claim, SAVED, known, PATIENCE)


@pytest.mark.parametrize("seconds", [0, 3, 100_000])
@pytest.mark.parametrize("edit", [EDIT, IMPORTED])
def test_what_recentchanges_has_as_an_edit_is_one_whatever_the_clocks_say(seconds: float, edit: Edit) -> None:
    assert after(seconds, found(edit, has_change=True)) is edit


def test_what_the_log_says_of_a_move_is_no_edit() -> None:
    assert after(0, found(is_logged=True)) == Delivered()


@pytest.mark.parametrize(("seconds", "wait"), [(0, 1), (1, 1), (10, 5), (59, 29.5)])
def test_recentchanges_is_waited_for_less_and_less_often_and_that_counts_no_attempt(
    seconds: float, wait: float
) -> None:
    outcome = after(seconds, found())

    assert isinstance(outcome, RetryLater)
    assert (outcome.delay, outcome.burns_attempt) == (timedelta(seconds=wait), False)


@pytest.mark.parametrize("seconds", [60, 5000])
def test_an_edit_that_recentchanges_never_gets_is_scored_without(seconds: float) -> None:
    assert after(seconds, found()) is EDIT


@pytest.mark.parametrize("seconds", [60, 5000])
def test_what_was_imported_or_restored_is_no_edit(seconds: float) -> None:
    assert after(seconds, found(IMPORTED)) == Delivered()


def test_the_edit_of_a_deleted_page_waits_for_nothing() -> None:
    assert after(0, found(is_archived=True)) is EDIT


def test_a_revision_that_the_wiki_took_back_is_no_edit() -> None:
    assert after(0, None) == Delivered()


def test_a_revision_whose_row_no_edit_can_have_is_kept_as_a_dead_letter() -> None:
    outcome = after(0, FoundRevision(edit=None))

    assert isinstance(outcome, Dead)
    assert outcome.reason == "unreadable_revision"


def test_a_suppression_leaves_a_saved_revision_as_it_is() -> None:
    # It holds no name; what is hidden is not read from the tables either.
    payload = '{"wiki":"enwiki","revision":1001,"saved_at":"2026-01-01T12:00:00Z"}'

    assert rewritten(payload, Hidden(revision=1001, switches=frozenset({"is_editor_visible"})).in_edit) == payload


# On the tables of a real wiki.


@pytest.fixture
def wiki(database: Database, tmp_path: Path, mariadb_url: str) -> Iterator[Database]:
    """On the same kind of server as *database*, which has our own tables of a wiki."""
    engines = patient_engines()
    on_file = database.server.is_sqlite
    url = f"sqlite:///{tmp_path}/enwiki.db" if on_file else create_database(mariadb_url, "attached")
    wiki = engines.open("enwiki", url)
    make_attached(wiki)
    yield wiki
    engines.close()
    if not on_file:
        drop_database(mariadb_url, "attached")


@pytest.fixture
def attached(services_for: BuildServices, wiki: Database) -> Services:
    return services_for(database_url=url_of(wiki))


def url_of(wiki: Database) -> str:
    return wiki.url.render_as_string(hide_password=False)


def now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S")


def test_an_edit_is_scored_and_announced_with_what_the_tables_say(attached: Services, wiki: Database) -> None:
    run(wiki, revision(rev_minor_edit=1), change(rc_patrolled=0))

    drain(attached)

    (event,) = promised_events(wiki)
    assert (event["rev_id"], event["page_id"], event["page_title"], event["rev_parent_id"]) == (
        NEW, PAGE, "Café_Noir", PARENT,
    )  # fmt: skip
    assert event["performer"]["user_text"] == "Zoé"
    assert event["scores"].keys() == {"damaging", "goodfaith"}
    assert NEW in classified_revisions(wiki)


@pytest.mark.parametrize("values", [{"rc_patrolled": PatrolStatus.AUTOPATROLLED.value}, {"rc_bot": 1}])
def test_an_edit_that_nobody_must_look_at_is_announced_and_leaves_no_rows(
    attached: Services, wiki: Database, values: dict[str, int]
) -> None:
    run(wiki, revision(), change(**values))

    drain(attached)

    assert [event["rev_id"] for event in promised_events(wiki)] == [NEW]
    assert NEW not in classified_revisions(wiki)


def test_an_edit_waits_for_recentchanges_and_no_attempt_counts(attached: Services, wiki: Database) -> None:
    run(wiki, revision())
    drain(attached)
    assert (status(wiki, EDITS).waiting, promised_events(wiki)) == (1, [])

    run(wiki, change(rc_bot=1))
    make_due(wiki, EDITS)
    assert query(wiki, "SELECT attempt FROM outbox_waiting") == [{"attempt": 0}]
    drain(attached)

    assert [event["rev_id"] for event in promised_events(wiki)] == [NEW]
    assert NEW not in classified_revisions(wiki)


def test_an_edit_whose_change_was_lost_is_scored_and_announced_all_the_same(
    services_for: BuildServices, wiki: Database
) -> None:
    impatient = services_for(database_url=url_of(wiki), outbox={"recent_change_seconds": 0})
    run(wiki, revision(rev_timestamp=now()))

    drain(impatient)

    assert [event["rev_id"] for event in promised_events(wiki)] == [NEW]
    assert NEW in classified_revisions(wiki)


def test_imports_and_moves_are_settled_without_a_call_beside_an_edit_that_is_scored(
    services_for: BuildServices, wiki: Database
) -> None:
    impatient = services_for(database_url=url_of(wiki), outbox={"recent_change_seconds": 0})
    run(wiki, revision(NEW), revision(NEW + 1), change(NEW + 1, rc_source="mw.log"))
    run(wiki, revision(NEW + 2), change(NEW + 2))

    drain(impatient)

    assert [event["rev_id"] for event in promised_events(wiki)] == [NEW + 2]
    assert status(wiki, EDITS).pending == status(wiki, EDITS).dead == 0


def test_a_message_of_another_wiki_or_of_none_harms_no_other(attached: Services, wiki: Database) -> None:
    saved_at = "2026-01-01T00:00:00Z"
    strange = ({"wiki": "dewiki", "revision": 5}, {"wiki": "enwiki", "revision": 0})
    with wiki.transaction() as connection:
        record_payloads(connection, EDITS, [json.dumps(each | {"saved_at": saved_at}) for each in strange])
    set_attempts(wiki, EDITS, 7)
    run(wiki, revision(), change())

    drain(attached)

    assert {row["reason"] for row in query(wiki, "SELECT reason FROM outbox_dead")} == {"another_wiki", "undecodable"}
    assert [event["rev_id"] for event in promised_events(wiki)] == [NEW]


def test_a_revision_that_kills_its_workers_is_given_up_as_any_edit(attached: Services, wiki: Database) -> None:
    run(wiki, revision(), change())
    set_attempts(wiki, EDITS, 50)

    drain(attached)

    assert [row["reason"] for row in query(wiki, "SELECT reason FROM outbox_dead")] == ["attempts_exhausted"]


def test_an_edit_that_is_promised_by_the_trigger_and_by_the_wiki_is_announced_under_one_id(
    attached: Services, wiki: Database
) -> None:
    run(wiki, revision(), change())
    run(wiki, "INSERT INTO outbox (payload) SELECT payload FROM outbox")

    drain(attached)

    ids = [event["meta"]["id"] for event in promised_events(wiki)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


# What a MediaWiki 1.39.17 left (Debian's package of it, 2026-11-27), each row as it stood after all that is named here.

LEFT = json.loads((Path(__file__).parent / "mediawiki_1_39_17.json").read_text())
TABLES = (actor, page, revision_table, recentchanges, archive)
WHAT_IT_WAS = {
    2: "a new page, saved by maintenance/edit.php",
    3: "an edit flagged as a bot's",
    4: "a new talk page",
    5: "an edit that suppressed its recent change",
    10: "a new page, saved by api.php and moved later",
    11: "a minor edit of it",
    13: "the redirect that the move left",
    15: "an edit of a page that was deleted and undeleted",
    16: "the second one",
    17: "an edit of a page that was deleted at once",
    18: "an edit that put its page into a category",
}
NO_EDITS = {
    6: "imported into a page that was there", 7: "imported as a new page", 8: "imported", 9: "imported",
    12: "left by the move on the page itself", 14: "left by the protection",
}  # fmt: skip


@pytest.fixture
def left(database: Database) -> Iterator[Database]:
    """The tables of that MediaWiki."""
    with database.transaction() as connection:
        archive.create(connection)
        for table in TABLES:
            names, *rows = LEFT[table.name]
            connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
    yield database
    with database.transaction() as connection:
        archive.drop(connection)


def what_is_found(database: Database, number: int) -> Edit | object:
    saved = SavedRevision(wiki="enwiki", revision=number, saved_at=datetime(2026, 11, 27, 12, 48, tzinfo=UTC))
    claim = a_claim(claimed_at=saved.saved_at + timedelta(hours=1))
    with database.reading() as connection:
        return what_it_is(claim, saved, find_revisions(connection, "enwiki", [number]).get(number), PATIENCE)


@pytest.mark.parametrize("number", WHAT_IT_WAS)
def test_what_mediawiki_saved_as_an_edit_is_one(left: Database, number: int) -> None:
    assert isinstance(what_is_found(left, number), Edit), WHAT_IT_WAS[number]


@pytest.mark.parametrize("number", NO_EDITS)
def test_what_mediawiki_saved_for_other_reasons_is_no_edit(left: Database, number: int) -> None:
    assert what_is_found(left, number) == Delivered(), NO_EDITS[number]


def test_the_fields_of_mediawikis_edits_are_those_that_it_has(left: Database) -> None:
    numbers = (3, 11, 17)
    found = {number: edit for number in numbers if isinstance(edit := what_is_found(left, number), Edit)}

    assert {n: (edit.title, edit.parent_revision, edit.is_bot, edit.is_minor) for n, edit in found.items()} == {
        3: ("Page one", 2, True, False),
        # Its page has another title now.
        11: ("Web page", 10, False, True),
        17: ("Gone at once", 0, False, False),
    }
    assert [found[number].patrol_status for number in numbers] == [
        PatrolStatus.UNPATROLLED, PatrolStatus.AUTOPATROLLED, PatrolStatus.UNPATROLLED,
    ]  # fmt: skip
