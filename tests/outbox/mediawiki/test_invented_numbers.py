"""Changes and pages whose numbers nobody told get numbers that never stand in the way of a real one."""

import pytest
from sqlalchemy import select

from outbox import EDITS, Edit, EditSource
from outbox.database import Database
from outbox.mediawiki.saving import free_title, save_edit
from outbox.mediawiki.schema import page, recentchanges
from tests.builders import an_edit
from tests.outbox.lanes import rows

LAST_OF_OLD_WIKIS = 2**31


def save(database: Database, *edits: Edit) -> None:
    for edit in edits:
        with database.transaction() as session:
            free_title(session, edit)
            save_edit(session, edit)


def pages_of_changes(database: Database) -> dict[int, int]:
    """Revision to the page of its change, in recentchanges."""
    with database.reading() as connection:
        change = recentchanges.c
        return {row[0]: row[1] for row in connection.execute(select(change.rc_this_oldid, change.rc_cur_id))}


@pytest.mark.parametrize("real", [1000, 2**32, 2**40])
def test_a_change_that_nobody_numbered_takes_no_number_that_comes_later(database: Database, real: int) -> None:
    unnumbered = [an_edit(revision=revision, change=None) for revision in (501, 502, 503)]

    save(database, an_edit(revision=500, change=real), *unnumbered, an_edit(revision=504, change=real + 2))

    numbers = {change["rc_this_oldid"]: change["rc_id"] for change in rows(database, recentchanges)}
    assert (numbers[500], numbers[504]) == (real, real + 2)
    assert len(set(numbers.values())) == 5


def test_an_edit_without_a_page_is_of_the_page_that_has_its_title(database: Database) -> None:
    save(database, an_edit(revision=1, page=7, namespace=1, title="Talk:Foo bar"))

    save(database, an_edit(revision=2, page=None, namespace=1, title="Talk:Foo bar"))

    assert pages_of_changes(database) == {1: 7, 2: 7}


def test_a_page_that_nobody_numbered_takes_no_number_that_comes_later(database: Database) -> None:
    save(database, an_edit(revision=1, page=None, title="A"), an_edit(revision=2, page=None, title="B"))
    save(database, an_edit(revision=3, page=None, title="A"), an_edit(revision=4, page=1, title="C"))

    pages = pages_of_changes(database)
    assert pages[1] == pages[3] != pages[2]
    assert min(pages[1], pages[2]) >= LAST_OF_OLD_WIKIS
    assert pages[4] == 1


def test_a_page_whose_number_is_told_later_has_its_title_from_then_on(database: Database) -> None:
    save(database, an_edit(revision=1, page=None, title="A"), an_edit(revision=2, page=7, title="A"))

    save(database, an_edit(revision=3, page=None, title="A"))

    assert pages_of_changes(database)[3] == 7


def test_an_invented_number_is_not_promised(database: Database) -> None:
    edit = an_edit(page=None, change=None)

    save(database, edit)

    (message,) = rows(database, EDITS.messages)
    assert Edit.decode(message["payload"]) == edit


@pytest.mark.parametrize(("given", "kept"), [(True, 1), (False, 0), (None, 1)])
def test_a_page_is_a_redirect_where_that_is_told_and_stays_one_until_it_is_told_otherwise(
    database: Database, given: bool | None, kept: int
) -> None:
    save(database, an_edit(revision=1, page=7, title="A", is_redirect=True))

    save(database, an_edit(revision=2, page=7, title="A", is_redirect=given))

    (made,) = rows(database, page)
    assert made["page_is_redirect"] == kept


@pytest.mark.parametrize(("source", "is_new"), [(EditSource.EDIT, 0), (EditSource.NEW, 1)])
def test_a_change_makes_a_new_page_only_where_that_was_told(
    database: Database, source: EditSource, is_new: int
) -> None:
    save(database, an_edit(source=source, parent_revision=0))

    (change,) = rows(database, recentchanges)
    assert (change["rc_new"], change["rc_type"]) == (is_new, is_new)
