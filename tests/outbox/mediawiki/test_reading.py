"""Reading edits back from recentchanges, and what the wiki has of revisions and titles."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from outbox import Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.reading import (
    existing_revisions,
    newest_revision_in_recent_changes,
    recent_edits,
    revisions_in_recent_changes,
    shown_title,
)
from outbox.mediawiki.saving import save_edit
from outbox.mediawiki.schema import DELETED_USER, recentchanges, revision
from tests.builders import an_edit, edits
from tests.outbox.lanes import statements


def save(database: Database, edits: Sequence[Edit]) -> None:
    with database.transaction() as session:
        for edit in edits:
            save_edit(session, edit)


def change(database: Database, of: int, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(update(recentchanges).where(recentchanges.c.rc_this_oldid == of).values(values))


def read(database: Database, *, before: int | None = None, limit: int = 100) -> tuple[list[Edit], int | None]:
    with database.reading() as connection:
        return recent_edits(connection, "enwiki", before=before, limit=limit)


def revisions(database: Database) -> list[int]:
    return [edit.revision for edit in read(database)[0]]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": EditSource.NEW, "parent_revision": 0, "parent_length": 0, "length": 12},
        {"is_bot": True, "is_minor": True},
        {"patrol_status": PatrolStatus.AUTOPATROLLED},
        {"patrol_status": PatrolStatus.PATROLLED},
        {"namespace": 3, "title": "User talk:Zoé K", "is_namespace_in_english": True},
        {"namespace": 4, "title": "Project:Sandbox/日本", "is_namespace_in_english": True},
        {"user": "192.0.2.7", "is_anonymous": True},
        {"user": "2001:DB8::7", "is_anonymous": True},
        {"user": "Ünïcödé 😀"},
        {"length": 0, "parent_length": 100},
    ],
)
def test_an_edit_comes_back_as_it_was_saved(database: Database, fields: dict[str, Any]) -> None:
    saved = an_edit(revision=7, change=70, **fields)
    save(database, [saved])

    assert read(database) == ([saved], None)


def test_a_namespace_that_only_the_wiki_knows_comes_back_by_its_number(database: Database) -> None:
    save(database, [an_edit(revision=7, namespace=100, title="Portal:Birds of prey")])

    (edit,), _ = read(database)
    assert edit.title == "100:Birds of prey"


def test_the_newest_come_first(database: Database) -> None:
    save(database, [an_edit(revision=revision, change=change) for change, revision in enumerate((2, 3, 1), start=1)])

    assert revisions(database) == [1, 3, 2]


def test_numbers_that_nobody_told_are_told_to_nobody(database: Database) -> None:
    saved = an_edit(revision=7, page=None)
    save(database, [saved])

    assert read(database) == ([saved], None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_page_by_page_each_edit_comes_once(database: Database, limit: int) -> None:
    save(database, edits(7))

    found: list[int] = []
    before: int | None = None
    while True:
        page, before = read(database, before=before, limit=limit)
        assert len(page) <= limit
        found += [edit.revision for edit in page]
        if before is None:
            break

    assert found == [7, 6, 5, 4, 3, 2, 1]


def test_an_edit_saved_between_two_pages_spoils_neither(database: Database) -> None:
    save(database, edits(4))
    first, before = read(database, limit=2)
    save(database, edits(1, first=5))

    second, _ = read(database, before=before, limit=2)

    assert [edit.revision for edit in first + second] == [4, 3, 2, 1]


def test_a_page_is_one_statement(database: Database) -> None:
    save(database, edits(20))

    with statements(database.engine) as seen:
        read(database)

    assert len(seen) == 1


def test_changes_that_are_no_edits_are_left_out(database: Database) -> None:
    save(database, edits(3))
    change(database, 2, rc_source="mw.log", rc_this_oldid=0)

    assert revisions(database) == [3, 1]


def test_a_hidden_user_does_not_come_back(database: Database) -> None:
    save(database, edits(3))
    change(database, 2, rc_deleted=DELETED_USER | 1)

    found, _ = read(database)
    assert [(edit.revision, edit.user) for edit in found] == [(3, "Alice"), (2, None), (1, "Alice")]


def test_an_edit_that_was_saved_without_a_user_comes_back_without_one(database: Database) -> None:
    saved = an_edit(revision=7, change=70, user=None)
    save(database, [saved])

    assert read(database) == ([saved], None)


def test_a_hidden_text_hides_no_edit(database: Database) -> None:
    save(database, edits(3))
    change(database, 2, rc_deleted=1 | 2)

    assert revisions(database) == [3, 2, 1]


@pytest.mark.parametrize(
    "broken", [{"rc_timestamp": "20260230000000"}, {"rc_this_oldid": 0}, {"rc_cur_id": 0}, {"rc_patrolled": 9}]
)
def test_a_change_whose_values_make_no_edit_costs_no_other(database: Database, broken: dict[str, Any]) -> None:
    save(database, edits(3))
    change(database, 2, **broken)

    assert revisions(database) == [3, 1]


def test_a_page_of_changes_that_make_no_edits_does_not_end_the_reading(database: Database) -> None:
    save(database, edits(4))
    for of in (3, 4):
        change(database, of, rc_patrolled=9)

    nothing, before = read(database, limit=2)
    some, _ = read(database, before=before, limit=2)

    assert nothing == []
    assert [edit.revision for edit in some] == [2, 1]


def test_it_is_told_which_revisions_are_in_recentchanges_and_which_the_wiki_has(database: Database) -> None:
    save(database, edits(3))
    with database.transaction() as session:
        session.execute(recentchanges.delete().where(recentchanges.c.rc_this_oldid == 2))
        session.execute(revision.delete().where(revision.c.rev_id == 3))
        wanted = {1, 2, 3, 4}

        assert revisions_in_recent_changes(session, wanted) == {1, 3}
        assert existing_revisions(session, wanted) == {1, 2}


def test_of_no_revisions_none_is_there(database: Database) -> None:
    with database.reading() as connection:
        assert revisions_in_recent_changes(connection, set()) == existing_revisions(connection, set()) == set()


def test_the_newest_revision_is_the_one_with_the_highest_id(database: Database) -> None:
    save(database, [an_edit(revision=revision) for revision in (2, 9, 4)])

    with database.reading() as connection:
        assert newest_revision_in_recent_changes(connection) == 9


def test_an_empty_recentchanges_has_no_newest_revision(database: Database) -> None:
    with database.reading() as connection:
        assert newest_revision_in_recent_changes(connection) is None


@pytest.mark.parametrize(
    ("namespace", "key", "title"),
    [(0, "Foo_bar", "Foo bar"), (3, "Alice", "User talk:Alice"), (118, "Draft", "118:Draft")],
)
def test_a_title_is_shown_with_its_namespace_and_spaces(namespace: int, key: str, title: str) -> None:
    assert shown_title(namespace, key) == title
