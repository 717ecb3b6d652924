"""Writing to the tables of an emulated wiki, and of no other: saving edits, changing pages, removing old changes."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from outbox.columns import BY_KEY
from outbox.edits import Edit
from outbox.errors import ForeignTables
from outbox.mediawiki.schema import (
    CORE,
    DELETED_COMMENT,
    DELETED_TEXT,
    DELETED_USER,
    DISTINCTIVE,
    FIRST_INVENTED_CHANGE,
    FIRST_INVENTED_PAGE,
    READ,
    actor,
    cut_title,
    mediawiki_timestamp,
    page,
    recentchanges,
    revision,
    title_key,
)
from outbox.ownership import are_ours, connection_of, schema_of
from outbox.page_changes import PageChange, PageChangeKind, Promised
from outbox.recording import record
from outbox.transactions import synchronous

#: Field of a revision's visibility to the bit that is set in `rev_deleted` and `rc_deleted` if the field is off.
BITS = {
    "is_content_visible": DELETED_TEXT,
    "is_comment_visible": DELETED_COMMENT,
    "is_editor_visible": DELETED_USER,
}

#: Statements of each edit, made once: made anew for each, inside its transaction, they took a third of a replay.
_ACTOR_CALLED = select(actor.c.actor_id).where(actor.c.actor_name == bindparam("name"))
_PAGE_OF_ID = update(page).where(page.c.page_id == bindparam("of_id"))
_PAGE, _REVISION, _CHANGE = insert(page), insert(revision), insert(recentchanges)


def is_emulated(session: Session | Connection) -> bool:
    """Whether this is an emulated wiki: all its tables were made by us. A wiki that exists is never written to.

    Costs statements on a connection's first call only; see `outbox.ownership`.
    """
    return are_ours(session, CORE, DISTINCTIVE)


def must_be_emulated(session: Session | Connection) -> None:
    """
    Raises:
        ForeignTables: a table of the wiki was not made by us.
    """
    if not is_emulated(session):
        connection = connection_of(session)
        name = schema_of(connection) or connection.engine.url.database
        raise ForeignTables(
            f"the database {name} is not that of an emulated wiki: {', '.join(READ)} were not all made by Outpatrol, "
            "and are never written to; promise the edit with outbox.record, or set emulated = true for a wiki with a "
            "database of its own and run: outpatrol migrate"
        )


def save_edit(session: Session | Connection, edit: Edit) -> None:
    """Save *edit* as a wiki would and promise its scoring, all through *session*, in the caller's transaction.

    On an emulated wiki only: whether it is one is asked before the first row is written.

    A real MediaWiki writes `recentchanges` and its job after the revision's commit, each in a transaction of its own,
    and can lose both; here all are committed together, or none.

    Raises:
        ForeignTables: the wiki is not an emulated one, and nothing was written.
        sqlalchemy.exc.IntegrityError: the wiki has this revision, or another page of this title, already.
    """
    synchronous(session, "mediawiki.saving.save_edit")
    must_be_emulated(session)
    moment = mediawiki_timestamp(edit.timestamp)
    actor_id, hidden = (0, DELETED_USER) if edit.user is None else (_actor_of(session, edit.user), 0)
    page_id = edit.page or _page_of(session, edit)
    _save_page(session, edit, page_id, moment)
    _save_revision(session, edit, page_id, moment, actor_id, hidden)
    _save_change(session, edit, page_id, moment, actor_id, hidden)
    record(session, edit)


def save_page_change(session: Session | Connection, change: PageChange) -> None:
    """Apply *change* to the page, and promise it, all through *session*, in the caller's transaction.

    On an emulated wiki only. The revisions of a deleted page stay, for an undelete; its changes leave recentchanges, as
    MediaWiki's do. Doing it again makes no difference.

    Raises:
        ForeignTables: the wiki is not an emulated one, and nothing was written.
    """
    synchronous(session, "mediawiki.saving.save_page_change")
    must_be_emulated(session)
    if change.kind is PageChangeKind.DELETE:
        session.execute(delete(page).where(page.c.page_id == change.page))
        session.execute(delete(recentchanges).where(recentchanges.c.rc_cur_id == change.page))
    elif change.kind in {PageChangeKind.MOVE, PageChangeKind.UNDELETE}:
        free_title(session, change)
        _name_page(session, change)
    if hidden := sum(bit for switch, bit in BITS.items() if switch in change.hides):
        of_revision = revision.c.rev_id == change.revision
        session.execute(update(revision).where(of_revision).values(rev_deleted=hidden))
        of_change = recentchanges.c.rc_this_oldid == change.revision
        session.execute(update(recentchanges).where(of_change).values(rc_deleted=hidden))
    record(session, change)


def _name_page(session: Session | Connection, change: PageChange) -> None:
    """Give the page its title; an undeleted page exists again, with the revisions it had."""
    name = {"page_namespace": change.namespace, "page_title": title_key(change.namespace, change.title)}
    renamed = session.execute(update(page).where(page.c.page_id == change.page).values(name))
    if change.kind is PageChangeKind.UNDELETE and cast("CursorResult[Any]", renamed).rowcount == 0:
        moment = mediawiki_timestamp(change.timestamp)
        state = {"page_touched": moment, "page_latest": change.revision or 0, "page_len": 0}
        session.execute(insert(page).values(page_id=change.page, **name, **state))


def free_title(session: Session | Connection, edit: Promised) -> None:
    """Free the title of *edit* if another page of an emulated wiki has it; does not commit.

    That page was moved or deleted, and no event said so. It is kept, with its revisions, under a title that says so.

    Raises:
        ForeignTables: the wiki is not an emulated one, and nothing was written.
    """
    must_be_emulated(session)
    if edit.page is None:
        # It belongs to whichever page has its title.
        return
    others = select(page.c.page_id).where(_has_title_of(edit), page.c.page_id != edit.page)
    for other in session.execute(others).scalars().all():
        title = cut_title(f"Broken/id:{other}/{title_key(edit.namespace, edit.title)}")
        session.execute(update(page).where(page.c.page_id == other).values(page_title=title))


def expire_changes(session: Session | Connection, *, before: datetime, limit: int) -> list[int]:
    """Remove the oldest *limit* changes from before that moment; returns their revisions, 0 for one without. Does not
    commit.
    Source: mediawiki/core includes/recentchanges/RecentChangesUpdateJob.php `purgeExpiredRows` REL1_39.

    Raises:
        ForeignTables: the wiki is not an emulated one; a MediaWiki expires its own.
    """
    must_be_emulated(session)
    change = recentchanges.c
    query = select(change.rc_id, change.rc_this_oldid).where(change.rc_timestamp < mediawiki_timestamp(before))
    rows = session.execute(query.order_by(change.rc_timestamp).limit(limit)).all()
    ids = sorted(row.rc_id for row in rows)
    session.execute(delete(recentchanges).where(change.rc_id.in_(ids)), execution_options=BY_KEY)
    return [row.rc_this_oldid for row in rows]


def _actor_of(session: Session | Connection, name: str) -> int:
    known: int | None = session.execute(_ACTOR_CALLED, {"name": name}).scalar_one_or_none()
    if known is not None:
        return known
    new = insert(actor).values(actor_name=name).returning(actor.c.actor_id)
    return int(session.execute(new).scalar_one())


def _page_of(session: Session | Connection, edit: Edit) -> int:
    """The id of the page that has the title of *edit*; a number of ours if there is none yet."""
    known: int | None = session.execute(select(page.c.page_id).where(_has_title_of(edit))).scalar_one_or_none()
    if known is not None:
        return known
    last: int | None = session.execute(select(func.max(page.c.page_id))).scalar_one()
    return max(last or 0, FIRST_INVENTED_PAGE - 1) + 1


def _has_title_of(edit: Promised) -> ColumnElement[bool]:
    return (page.c.page_namespace == edit.namespace) & (page.c.page_title == title_key(edit.namespace, edit.title))


def _save_page(session: Session | Connection, edit: Edit, page_id: int, moment: str) -> None:
    state: dict[str, Any] = {
        # Set by every edit, so that a page that was moved, or lost its title to another, gets its present title.
        "page_namespace": edit.namespace,
        "page_title": title_key(edit.namespace, edit.title),
        "page_latest": edit.revision,
        "page_len": edit.length or 0,
        "page_touched": moment,
        "page_is_new": edit.is_new_page,
    }
    if edit.is_redirect is not None:
        state["page_is_redirect"] = edit.is_redirect
    updated = session.execute(_PAGE_OF_ID, {"of_id": page_id, **state})
    if cast("CursorResult[Any]", updated).rowcount == 0:
        session.execute(_PAGE, {"page_id": page_id, **state})


def _save_revision(
    session: Session | Connection, edit: Edit, page_id: int, moment: str, actor_id: int, hidden: int
) -> None:
    session.execute(
        _REVISION,
        {
            "rev_id": edit.revision,
            "rev_page": page_id,
            "rev_actor": actor_id,
            "rev_timestamp": moment,
            "rev_minor_edit": edit.is_minor,
            "rev_deleted": hidden,
            "rev_len": edit.length,
            "rev_parent_id": edit.parent_revision,
        },
    )


def _save_change(
    session: Session | Connection, edit: Edit, page_id: int, moment: str, actor_id: int, hidden: int
) -> None:
    session.execute(
        _CHANGE,
        {
            "rc_id": edit.change or FIRST_INVENTED_CHANGE + edit.revision,
            "rc_timestamp": moment,
            "rc_actor": actor_id,
            "rc_namespace": edit.namespace,
            "rc_title": title_key(edit.namespace, edit.title),
            "rc_minor": edit.is_minor,
            "rc_bot": edit.is_bot,
            "rc_new": edit.is_new_page,
            "rc_cur_id": page_id,
            "rc_this_oldid": edit.revision,
            "rc_last_oldid": edit.parent_revision,
            "rc_type": int(edit.is_new_page),
            "rc_source": edit.source.value,
            "rc_patrolled": edit.patrol_status.value,
            "rc_old_len": edit.parent_length,
            "rc_new_len": edit.length,
            "rc_deleted": hidden,
        },
    )
