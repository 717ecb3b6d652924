"""Reading edits by the numbers of their revisions, from the tables as MediaWiki leaves them."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from outbox import Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.revisions import FoundRevision, find_revisions
from outbox.mediawiki.saving import save_edit
from outbox.mediawiki.schema import DELETED_USER, archive, page, recentchanges, revision
from tests.builders import an_edit
from tests.outbox.lanes import statements

THEIRS = recentchanges.c.rc_this_oldid == 1001


def save(database: Database, edit: Edit) -> None:
    with database.transaction() as session:
        save_edit(session, edit)


def change(database: Database, *written: Any) -> None:
    with database.transaction() as connection:
        for statement in written:
            connection.execute(statement)


def find(database: Database, *revisions: int) -> dict[int, FoundRevision]:
    with database.reading() as connection:
        return find_revisions(connection, "enwiki", revisions)


@pytest.fixture
def with_archive(database: Database) -> Iterator[Database]:
    with database.transaction() as connection:
        archive.create(connection)
    yield database
    with database.transaction() as connection:
        archive.drop(connection)


def also_in_recentchanges(**values: Any) -> Any:
    """A further row of recentchanges for revision 1001."""
    columns = {"rc_timestamp": "20260101120000", "rc_actor": 1, "rc_this_oldid": 1001, "rc_title": "Page_1001"}
    return insert(recentchanges).values(columns | values)


def edit_of(database: Database) -> Edit:
    edit = find(database, 1001)[1001].edit
    assert edit is not None
    return edit


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": EditSource.NEW, "parent_revision": 0, "parent_length": 0, "length": 12},
        {"is_bot": True, "is_minor": True, "length": 7, "parent_length": 9},
        {"patrol_status": PatrolStatus.AUTOPATROLLED},
        {"user": "192.0.2.7", "is_anonymous": True},
        {"user": None},
    ],
)
def test_an_edit_that_recentchanges_has_is_read_whole(database: Database, fields: dict[str, Any]) -> None:
    edit = an_edit(change=77, **fields)
    save(database, edit)

    assert find(database, 1001) == {1001: FoundRevision(edit=edit, has_change=True)}


def test_what_only_recentchanges_says_is_not_made_up_without_it(database: Database) -> None:
    edit = an_edit(change=77, is_bot=True, is_minor=True, patrol_status=PatrolStatus.AUTOPATROLLED, length=7)
    save(database, edit)
    change(database, delete(recentchanges).where(THEIRS))

    less = {"change": None, "is_bot": False, "patrol_status": PatrolStatus.UNPATROLLED}
    assert find(database, 1001) == {1001: FoundRevision(edit=edit.model_copy(update=less))}


def test_a_revision_without_a_parent_is_the_first_of_its_page(database: Database) -> None:
    save(database, an_edit(parent_revision=0))
    change(database, delete(recentchanges).where(THEIRS))

    assert edit_of(database).is_new_page


def test_a_hidden_user_is_not_read(database: Database) -> None:
    save(database, an_edit(user="Alice"))
    change(database, update(revision).values(rev_deleted=DELETED_USER))

    assert edit_of(database).user is None


def test_the_namespace_of_a_title_is_said_to_be_in_english(database: Database) -> None:
    save(database, an_edit(namespace=3, title="Benutzer Diskussion:Zoé"))

    edit = edit_of(database)

    assert (edit.title, edit.is_namespace_in_english) == ("User talk:Zoé", True)


def test_the_title_is_the_one_that_the_page_had_when_it_was_edited(database: Database) -> None:
    save(database, an_edit(title="Before"))
    change(database, update(page).values(page_title="After", page_namespace=2))

    edit = edit_of(database)

    assert (edit.namespace, edit.title, edit.is_namespace_in_english) == (0, "Before", None)


def test_a_revision_that_a_move_left_is_known_by_the_log(database: Database) -> None:
    save(database, an_edit())
    change(database, update(recentchanges).where(THEIRS).values(rc_source="mw.log"))

    found = find(database, 1001)[1001]

    assert (found.is_logged, found.has_change) == (True, False)


@pytest.mark.parametrize(
    "other",
    [
        {"rc_id": 1, "rc_source": "mw.log"},
        {"rc_id": 99, "rc_source": "mw.log"},
        {"rc_id": 99, "rc_source": "mw.categorize", "rc_namespace": 14},
        {"rc_id": 99, "rc_source": "wb"},
    ],
)
def test_other_changes_that_name_the_revision_do_not_hide_its_edit(database: Database, other: dict[str, Any]) -> None:
    edit = an_edit(change=77)
    save(database, edit)
    change(database, also_in_recentchanges(**other))

    assert find(database, 1001) == {1001: FoundRevision(edit=edit, has_change=True)}


def test_a_category_that_the_page_entered_is_no_change_of_the_revision(database: Database) -> None:
    save(database, an_edit())
    change(database, update(recentchanges).where(THEIRS).values(rc_source="mw.categorize"))

    found = find(database, 1001)[1001]

    assert (found.is_logged, found.has_change) == (False, False)


def test_of_a_change_that_was_written_again_the_newest_counts(database: Database) -> None:
    save(database, an_edit(change=77))
    change(database, also_in_recentchanges(rc_id=99, rc_source="mw.edit", rc_bot=1, rc_patrolled=2))

    edit = edit_of(database)

    assert (edit.change, edit.is_bot, edit.patrol_status) == (99, True, PatrolStatus.AUTOPATROLLED)


def test_the_edit_of_a_deleted_page_is_read_from_the_archive(with_archive: Database) -> None:
    edit = an_edit(is_minor=True, length=7)
    save(with_archive, edit)
    with with_archive.reading() as connection:
        actor_id = connection.execute(select(revision.c.rev_actor)).scalar_one()
    old = {
        "ar_namespace": 0, "ar_title": "Page_1001", "ar_rev_id": 1001, "ar_page_id": 1001, "ar_actor": actor_id,
        "ar_timestamp": "20260101121641", "ar_minor_edit": 1, "ar_deleted": 0, "ar_len": 7,
        "ar_parent_id": edit.parent_revision,
    }  # fmt: skip
    change(with_archive, insert(archive).values(old), delete(revision), delete(page), delete(recentchanges))

    assert find(with_archive, 1001) == {1001: FoundRevision(edit=edit, is_archived=True)}


def test_a_revision_without_a_page_is_found_and_is_no_edit(database: Database) -> None:
    save(database, an_edit())
    change(database, delete(page))

    assert find(database, 1001) == {1001: FoundRevision(edit=None, has_change=True)}


def test_an_archived_revision_with_values_that_no_edit_has_is_found_and_is_none(with_archive: Database) -> None:
    old = {"ar_namespace": 0, "ar_title": "A", "ar_rev_id": 1001, "ar_timestamp": "20260101129999", "ar_deleted": 0}
    change(with_archive, insert(archive).values(old))

    assert find(with_archive, 1001) == {1001: FoundRevision(edit=None, is_archived=True)}


def test_a_revision_that_is_gone_is_not_found(with_archive: Database) -> None:
    assert find(with_archive, 1001) == {}


def test_a_wiki_without_an_archive_is_not_asked_for_it(database: Database) -> None:
    save(database, an_edit())

    assert find(database, 1001, 1002).keys() == {1001}


def test_a_revision_with_values_that_no_edit_has_is_found_and_is_none(database: Database) -> None:
    save(database, an_edit())
    change(database, update(recentchanges).where(THEIRS).values(rc_patrolled=9))

    assert find(database, 1001)[1001].edit is None


def test_a_whole_batch_is_read_in_one_statement(database: Database) -> None:
    for number in range(1, 21):
        save(database, an_edit(revision=number))

    with statements(database.engine) as seen:
        found = find(database, *range(1, 21))

    assert (len(found), len(seen)) == (20, 1)
