"""Saving an edit: MediaWiki's rows with MediaWiki's values, and the promise, all or nothing."""

from typing import Any

import pytest
from sqlalchemy import RowMapping, Table
from sqlalchemy.exc import IntegrityError

from outbox import EDITS, Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.saving import save_edit
from outbox.mediawiki.schema import CORE, actor, page, recentchanges, revision
from tests.builders import NOON, an_edit
from tests.outbox.lanes import rows

TABLES = [*CORE, EDITS.messages]


def save(database: Database, *edits: Edit) -> None:
    for edit in edits:
        with database.transaction() as session:
            save_edit(session, edit)


def only_row(database: Database, table: Table[Any]) -> RowMapping:
    (row,) = rows(database, table)
    return row


def everything(database: Database) -> list[list[RowMapping]]:
    return [rows(database, table) for table in TABLES]


def test_an_edit_is_a_recent_change_with_mediawikis_values(database: Database) -> None:
    edit = an_edit(
        revision=1002,
        parent_revision=1001,
        page=7,
        title="Foo bar",
        timestamp=NOON,
        change=77,
        length=120,
        parent_length=100,
    )

    save(database, edit)

    change = only_row(database, recentchanges)
    assert {name: value for name, value in change.items() if name != "rc_actor"} == {
        "rc_id": 77,
        "rc_timestamp": "20260101120000",
        "rc_namespace": 0,
        "rc_title": "Foo_bar",
        "rc_minor": 0,
        "rc_bot": 0,
        "rc_new": 0,
        "rc_cur_id": 7,
        "rc_this_oldid": 1002,
        "rc_last_oldid": 1001,
        "rc_type": 0,
        "rc_source": "mw.edit",
        "rc_patrolled": 0,
        "rc_old_len": 100,
        "rc_new_len": 120,
        "rc_deleted": 0,
    }
    assert change["rc_actor"] == only_row(database, actor)["actor_id"]


def test_a_new_page_is_a_recent_change_of_its_own_type(database: Database) -> None:
    save(database, an_edit(source=EditSource.NEW, parent_revision=0))

    change = only_row(database, recentchanges)
    assert (change["rc_type"], change["rc_source"], change["rc_new"], change["rc_last_oldid"]) == (1, "mw.new", 1, 0)


@pytest.mark.parametrize("status", list(PatrolStatus), ids=lambda status: status.name)
def test_a_recent_change_has_the_patrol_status_of_its_edit(database: Database, status: PatrolStatus) -> None:
    save(database, an_edit(patrol_status=status))

    assert only_row(database, recentchanges)["rc_patrolled"] == int(status)


def test_a_bots_minor_edit_is_marked_as_such(database: Database) -> None:
    save(database, an_edit(is_bot=True, is_minor=True))

    change = only_row(database, recentchanges)
    assert (change["rc_bot"], change["rc_minor"]) == (1, 1)


def test_the_wiki_counts_the_changes_that_have_no_number(database: Database) -> None:
    save(database, an_edit(revision=1), an_edit(revision=2))

    assert len({change["rc_id"] for change in rows(database, recentchanges)}) == 2


def test_an_edit_is_a_revision_of_its_page(database: Database) -> None:
    save(database, an_edit(revision=1002, parent_revision=1001, page=7, timestamp=NOON, is_minor=True, length=120))

    assert dict(only_row(database, revision)) == {
        "rev_id": 1002,
        "rev_page": 7,
        "rev_actor": only_row(database, actor)["actor_id"],
        "rev_timestamp": "20260101120000",
        "rev_minor_edit": 1,
        "rev_deleted": 0,
        "rev_len": 120,
        "rev_parent_id": 1001,
    }


def test_a_first_edit_makes_its_page(database: Database) -> None:
    save(database, an_edit(revision=1, page=7, namespace=1, title="Talk:Foo bar", timestamp=NOON, length=120))

    made = only_row(database, page)
    assert (made["page_id"], made["page_namespace"], made["page_title"]) == (7, 1, "Foo_bar")
    assert (made["page_latest"], made["page_len"], made["page_touched"]) == (1, 120, "20260101120000")


def test_a_second_edit_of_a_page_becomes_its_latest(database: Database) -> None:
    save(database, an_edit(revision=1, page=7, title="Foo", parent_revision=0))
    save(database, an_edit(revision=2, page=7, title="Foo", length=130))

    made = only_row(database, page)
    assert (made["page_latest"], made["page_len"], made["page_is_new"]) == (2, 130, 0)


def test_a_page_that_was_moved_has_the_title_of_its_newest_edit(database: Database) -> None:
    save(database, an_edit(revision=1, page=7, title="Foo"))
    save(database, an_edit(revision=2, page=7, namespace=2, title="User:Foo"))

    made = only_row(database, page)
    assert (made["page_namespace"], made["page_title"], made["page_latest"]) == (2, "Foo", 2)


def test_a_user_is_one_actor_however_many_edits(database: Database) -> None:
    save(database, *(an_edit(revision=number, user="Алиса") for number in (1, 2, 3)))

    assert only_row(database, actor)["actor_name"] == "Алиса"
    assert len({change["rc_actor"] for change in rows(database, recentchanges)}) == 1


def test_an_edit_leaves_its_message_in_the_same_transaction(database: Database) -> None:
    with database.transaction() as session:
        save_edit(session, an_edit())
        session.rollback()

    assert everything(database) == [[]] * len(TABLES)


def test_the_message_of_an_edit_holds_the_edit(database: Database) -> None:
    edit = an_edit()

    save(database, edit)

    assert Edit.decode(only_row(database, EDITS.messages)["payload"]) == edit


def test_a_revision_is_saved_once_and_a_second_try_leaves_nothing(database: Database) -> None:
    save(database, an_edit(revision=1, page=7, title="Foo"))
    before = everything(database)

    with pytest.raises(IntegrityError):
        save(database, an_edit(revision=1, page=8, title="Bar", user="Mallory"))

    assert everything(database) == before


def test_a_title_belongs_to_one_page(database: Database) -> None:
    save(database, an_edit(revision=1, page=7, title="Foo"))

    with pytest.raises(IntegrityError):
        save(database, an_edit(revision=2, page=8, title="Foo"))


@pytest.mark.parametrize(
    ("namespace", "title", "key"),
    [
        (0, "Foo bar", "Foo_bar"),
        (0, "Foo: the bar", "Foo:_the_bar"),
        (3, "User talk:Alice Liddell", "Alice_Liddell"),
        (2, "Benutzer:WP 1.0 bot/Tables: A", "WP_1.0_bot/Tables:_A"),
        (4, "No prefix here", "No_prefix_here"),
        (4, "Wikipedia:", "Wikipedia:"),
    ],
)
def test_a_title_is_kept_without_its_prefix_and_with_underscores(
    database: Database, namespace: int, title: str, key: str
) -> None:
    save(database, an_edit(namespace=namespace, title=title))

    assert only_row(database, page)["page_title"] == key
    assert only_row(database, recentchanges)["rc_title"] == key


@pytest.mark.parametrize(("letter", "letters"), [("a", 255), ("é", 127), ("日", 85), ("👍", 63)])
def test_a_long_title_is_cut_between_two_letters(database: Database, letter: str, letters: int) -> None:
    save(database, an_edit(title=letter * 300))

    assert only_row(database, page)["page_title"] == letter * letters
