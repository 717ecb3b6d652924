"""An emulated wiki does to its pages what was told: delete, undelete, move, hide; and promises it."""

from typing import Any

import pytest
from sqlalchemy import Table, select

from outbox import EDITS, PageChange, PageChangeKind
from outbox.database import Database
from outbox.mediawiki.reading import recent_edits, revisions_of_page
from outbox.mediawiki.saving import save_edit, save_page_change
from outbox.mediawiki.schema import page, recentchanges, revision
from outbox.page_changes import decode
from tests.builders import a_change_of_a_page, an_edit
from tests.outbox.lanes import rows

DELETE, UNDELETE, MOVE = PageChangeKind.DELETE, PageChangeKind.UNDELETE, PageChangeKind.MOVE


@pytest.fixture(autouse=True)
def _page(database: Database) -> None:
    """Page 7, Foo, with revisions 1 and 2; page 8, Bar, with revision 3."""
    with database.transaction() as session:
        for number, its_page, title in ((1, 7, "Foo"), (2, 7, "Foo"), (3, 8, "Bar")):
            save_edit(session, an_edit(revision=number, page=its_page, title=title, user="Mallory"))


def change(database: Database, kind: PageChangeKind, **fields: Any) -> PageChange:
    made = a_change_of_a_page(kind, **({"page": 7, "title": "Foo", "revision": 2} | fields))
    with database.transaction() as session:
        save_page_change(session, made)
    return made


def column(database: Database, table: Table, name: str) -> list[Any]:
    with database.reading() as connection:
        return sorted(connection.execute(select(table.c[name])).scalars())


@pytest.mark.parametrize("kind", PageChangeKind)
def test_a_change_is_promised_as_it_was_told(database: Database, kind: PageChangeKind) -> None:
    made = change(database, kind)

    assert decode(rows(database, EDITS.messages)[-1]["payload"]) == made


def test_a_deleted_page_is_gone_with_its_changes_and_keeps_its_revisions(database: Database) -> None:
    change(database, DELETE)

    assert column(database, page, "page_id") == [8]
    assert column(database, recentchanges, "rc_this_oldid") == [3]
    with database.transaction() as session:
        assert revisions_of_page(session, 7, 0, "Foo") == {1, 2}


def test_an_undeleted_page_is_there_again(database: Database) -> None:
    change(database, DELETE)
    change(database, UNDELETE)

    made = {row["page_id"]: row for row in rows(database, page)}[7]
    assert (made["page_title"], made["page_latest"]) == ("Foo", 2)


def test_a_moved_page_has_its_new_title_and_takes_it_from_nobody(database: Database) -> None:
    change(database, MOVE, namespace=1, title="Talk:Bar", prior_title="Foo")
    change(database, MOVE, title="Bar", prior_title="Talk:Bar")

    titles = {row["page_id"]: (row["page_namespace"], row["page_title"]) for row in rows(database, page)}
    assert titles == {7: (0, "Bar"), 8: (0, "Broken/id:8/Bar")}


@pytest.mark.parametrize(
    ("switch", "bit"), [("is_content_visible", 1), ("is_comment_visible", 2), ("is_editor_visible", 4)]
)
def test_a_revision_hides_what_it_was_told_to_hide(database: Database, switch: str, bit: int) -> None:
    change(database, PageChangeKind.VISIBILITY, **{switch: False})

    assert column(database, revision, "rev_deleted") == [0, 0, bit]
    assert column(database, recentchanges, "rc_deleted") == [0, 0, bit]
    with database.reading() as connection:
        users = {edit.revision: edit.user for edit in recent_edits(connection, "enwiki", limit=10)[0]}
    assert users == {1: "Mallory", 2: None if bit == 4 else "Mallory", 3: "Mallory"}


@pytest.mark.parametrize("kind", [DELETE, UNDELETE, MOVE])
def test_a_change_that_is_told_twice_makes_no_difference(database: Database, kind: PageChangeKind) -> None:
    change(database, kind)
    before = rows(database, page)

    change(database, kind)

    assert rows(database, page) == before
