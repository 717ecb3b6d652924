"""What scores do about changes of pages that are no edits: rows go with a page, names with a suppression."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from outbox import EDITS, Dead, PageChange, PageChangeKind, record, record_payloads, settle
from outbox.database import Database
from outbox.dead_letters import list_dead_letters
from outbox.mediawiki.saving import save_page_change
from tests.builders import NOON, a_change_of_a_page, an_edit
from tests.endpoint import EmulatedEndpoint
from tests.worker.lines import (
    claim_all,
    classified_revisions,
    drain,
    let_leases_run_out,
    make_due,
    promised_events,
    publish,
    save,
    status,
)
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.scores.own_tables import BACKFILL

DELETE, VISIBILITY = PageChangeKind.DELETE, PageChangeKind.VISIBILITY
SECRET = "Mallory"
HIDDEN = {"is_editor_visible": False, "is_comment_visible": False, "is_content_visible": False}


def tell(database: Database, *changes: PageChange) -> None:
    """Do it on the emulated wiki, and promise it."""
    with database.transaction() as session:
        for change in changes:
            save_page_change(session, change)


def a_suppression(**fields: Any) -> PageChange:
    return a_change_of_a_page(VISIBILITY, **({"page": 7, "title": "Foo", "revision": 2} | HIDDEN | fields))


def a_deletion(**fields: Any) -> PageChange:
    return a_change_of_a_page(DELETE, **({"page": 7, "title": "Foo", "revision": 2} | fields))


def save_foo(database: Database) -> None:
    """Page 7 with revisions 1 and 2, page 8 with revision 3, all by the same user."""
    save(
        database,
        [
            an_edit(revision=number, parent_revision=0, page=page, title=title, user=SECRET)
            for number, page, title in ((1, 7, "Foo"), (2, 7, "Foo"), (3, 8, "Bar"))
        ],
    )


def whole(database: Database) -> str:
    """All that stands in the lanes."""
    found: list[Any] = []
    with database.reading() as connection:
        for lane in (EDITS, BACKFILL, FILE.lane):
            for table in (lane.messages, lane.waiting, lane.dead_letters):
                found += connection.execute(table.select()).all()
    return str(found)


@pytest.mark.parametrize("kind", [PageChangeKind.MOVE, PageChangeKind.UNDELETE, PageChangeKind.PROTECT, VISIBILITY])
def test_a_change_that_concerns_no_score_is_settled_and_announces_nothing(
    services: Services, database: Database, kind: PageChangeKind
) -> None:
    save_foo(database)
    drain(services)
    events, rows = promised_events(database), classified_revisions(database)

    tell(database, a_change_of_a_page(kind, page=7, title="Foo", revision=2))
    drain(services)

    assert (status(database, EDITS).pending, status(database, EDITS).dead) == (0, 0)
    assert (promised_events(database), classified_revisions(database)) == (events, rows)


def test_the_rows_of_a_deleted_page_go_with_it_and_no_others(services: Services, database: Database) -> None:
    save_foo(database)
    drain(services)

    tell(database, a_deletion())
    drain(services)

    assert classified_revisions(database) == {3}


def test_a_deletion_that_is_heard_after_the_page_is_there_again_removes_nothing(
    services: Services, database: Database
) -> None:
    save_foo(database)
    drain(services)

    tell(database, a_deletion(), a_change_of_a_page(PageChangeKind.UNDELETE, page=7, title="Foo", revision=2))
    drain(services)

    assert classified_revisions(database) == {1, 2, 3}


def test_the_revisions_that_a_mediawiki_has_archived_lose_their_rows(services: Services, database: Database) -> None:
    save_foo(database)
    drain(services)
    columns = "ar_namespace INTEGER, ar_title VARBINARY(255), ar_rev_id INTEGER, ar_page_id INTEGER"
    where = f"{database.schema}.archive" if database.schema else "archive"
    with database.transaction() as session:
        session.execute(text(f"CREATE TABLE {where} ({columns})"))
        session.execute(text(f"INSERT INTO {where} VALUES (0, 'Foo', 1, 7), (0, 'Foo', 3, 9)"))
        session.execute(text(f"DELETE FROM {where.replace('archive', 'page')} WHERE page_id = 7"))
        session.execute(text(f"DELETE FROM {where.replace('archive', 'revision')} WHERE rev_page = 7"))
        record(session, a_deletion())
    try:
        drain(services)
    finally:
        with database.transaction() as session:
            session.execute(text(f"DROP TABLE {where}"))

    assert classified_revisions(database) == {3}


def test_an_edit_suppressed_before_it_is_scored_is_announced_without_a_performer(
    services: Services, database: Database
) -> None:
    save_foo(database)
    tell(database, a_suppression())

    drain(services)

    performers = {event["rev_id"]: event.get("performer", {}).get("user_text") for event in promised_events(database)}
    assert performers == {1: SECRET, 2: None, 3: SECRET}
    assert classified_revisions(database) == {1, 2, 3}


def test_an_edit_suppressed_after_it_was_scored_is_sent_without_a_performer(
    services: Services, database: Database, events_directory: Path
) -> None:
    save_foo(database)
    drain(services)
    tell(database, a_suppression(), a_suppression(revision=1), a_suppression(revision=3, page=8))

    drain(services)
    publish(services)

    sent = "".join(file.read_text() for file in events_directory.rglob("*") if file.is_file())
    assert sent.count('"rev_id"') == 3
    assert SECRET not in sent


def test_a_page_that_was_deleted_and_suppressed_at_once_leaves_no_name(services: Services, database: Database) -> None:
    save(database, [an_edit(revision=number, page=7, title="Foo", user=SECRET) for number in (1, 2)])
    drain(services)

    tell(database, a_deletion(**HIDDEN))
    drain(services)

    assert SECRET not in whole(database)
    assert classified_revisions(database) == set()


def test_a_suppressed_user_leaves_waiting_messages_and_dead_letters(services: Services, database: Database) -> None:
    save_foo(database)
    claims = claim_all(database, EDITS)
    with database.transaction() as session:
        settle(session, EDITS, dict.fromkeys(claims, Dead("refused", "no")))
        record_payloads(session, BACKFILL, [claim.payload for claim in claims])
    tell(database, *(a_suppression(revision=number) for number in (1, 2, 3)))

    drain(services)

    assert SECRET not in whole(database)
    with database.reading() as connection:
        assert len(list_dead_letters(connection, EDITS)) == 3


def test_a_suppression_waits_for_whoever_is_working_on_the_edit_and_looks_again(
    services: Services, database: Database
) -> None:
    save_foo(database)
    claim_all(database, EDITS)
    tell(database, a_suppression())

    drain(services)
    assert status(database, EDITS).waiting == 1
    assert status(database, EDITS).claimed == 3

    let_leases_run_out(database, EDITS)
    drain(services)
    make_due(database, EDITS)
    drain(services)

    assert status(database, EDITS).pending == 0
    performers = {event["rev_id"]: "performer" in event for event in promised_events(database)}
    assert performers == {1: True, 2: False, 3: True}


def test_a_suppression_does_not_wait_for_the_endpoint(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save_foo(database)
    endpoint.set(failures={"rate": 1, "status": 500})
    tell(database, a_suppression())

    drain(services)

    waiting = whole(database)
    assert status(database, EDITS).waiting == 3
    assert waiting.count(SECRET) == 2


def test_a_page_change_that_can_not_be_read_is_a_dead_letter_and_costs_no_edit(
    services: Services, database: Database
) -> None:
    save_foo(database)
    with database.transaction() as session:
        record_payloads(session, EDITS, ['{"kind":"rename"}'])

    drain(services)

    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EDITS)
    assert letter.reason == "undecodable"
    assert len(promised_events(database)) == 3


def test_a_page_change_of_another_wiki_in_the_same_database_removes_nothing(
    services: Services, database: Database
) -> None:
    save_foo(database)
    drain(services)
    tell(database, a_deletion(wiki="frwiki"))

    drain(services)

    assert classified_revisions(database) == {1, 2, 3}
    assert status(database, EDITS).waiting == 1


def test_the_moment_of_a_change_is_that_of_the_event() -> None:
    assert a_deletion().timestamp == NOON
