"""Reading edits by the numbers of their revisions, of which an attached wiki promises nothing more."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Label, Row, Select, and_, case, inspect, null, select

from outbox.edits import Edit, EditSource, PatrolStatus, is_address
from outbox.mediawiki.reading import shown_title
from outbox.mediawiki.schema import DELETED_USER, actor, archive, moment_of, page, recentchanges, revision
from outbox.ownership import schema_of

#: Sources of changes that are about the revision itself; others, such as a page that enters a category, only name it.
#: Source: mediawiki/core includes/recentchanges/RecentChange.php, the SRC_* constants, REL1_39.
EDIT_SOURCES, LOG = tuple(source.value for source in EditSource), "mw.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRevision:
    """What the wiki's tables say of a revision."""

    #: None if its row holds values that no edit can have, or belongs to no page.
    edit: Edit | None
    #: recentchanges has the edit; only then are its bot flag and its patrol status known.
    has_change: bool = False
    #: recentchanges has it as something else: a move or a protection, which leave a revision with the same text.
    is_logged: bool = False
    #: Its page was deleted, and the changes of the page with it.
    is_archived: bool = False


def find_revisions(connection: Connection, wiki: str, revisions: Collection[int]) -> dict[int, FoundRevision]:
    """What the tables of *wiki* say of *revisions*; those that it does not have any more are left out.

    One statement, and another one if some are missing, whose pages may be deleted. A hidden user is not returned.
    """
    rows = connection.execute(_present().where(revision.c.rev_id.in_(sorted(revisions)))).all()
    found = {row.rev_id: FoundRevision(edit=_edit_of(wiki, row), **_change_of(row)) for row in rows}
    missing = set(revisions) - found.keys()
    if missing and inspect(connection).has_table(archive.name, schema=schema_of(connection)):
        old = connection.execute(_archived().where(archive.c.ar_rev_id.in_(sorted(missing)))).all()
        found |= {row.rev_id: FoundRevision(edit=_edit_of(wiki, row), is_archived=True) for row in old}
    return found


def _present() -> Select[Any]:
    change = recentchanges.c
    of_revision = (
        revision.c.rev_id, revision.c.rev_parent_id, revision.c.rev_timestamp, revision.c.rev_minor_edit,
        revision.c.rev_deleted, revision.c.rev_len, page.c.page_id, page.c.page_namespace, page.c.page_title,
    )  # fmt: skip
    of_change = (
        change.rc_id, change.rc_source, change.rc_namespace, change.rc_title, change.rc_bot, change.rc_patrolled,
        change.rc_old_len,
    )  # fmt: skip
    is_about_it = and_(change.rc_this_oldid == revision.c.rev_id, change.rc_source.in_((*EDIT_SOURCES, LOG)))
    return (
        select(*of_revision, *of_change, actor.c.actor_user, actor.c.actor_name)
        .select_from(revision)
        .outerjoin(page, page.c.page_id == revision.c.rev_page)
        .outerjoin(actor, actor.c.actor_id == revision.c.rev_actor)
        .outerjoin(recentchanges, is_about_it)
        # The last row of a revision counts: an edit, if there is one, and as it was written again.
        .order_by(case((change.rc_source == LOG, 0), else_=1), change.rc_id)
    )


def _archived() -> Select[Any]:
    old = archive.c
    renamed: tuple[Label[Any], ...] = (
        old.ar_rev_id.label("rev_id"), old.ar_parent_id.label("rev_parent_id"), old.ar_timestamp.label("rev_timestamp"),
        old.ar_minor_edit.label("rev_minor_edit"), old.ar_deleted.label("rev_deleted"), old.ar_len.label("rev_len"),
        old.ar_page_id.label("page_id"), old.ar_namespace.label("page_namespace"), old.ar_title.label("page_title"),
        null().label("rc_source"),
    )  # fmt: skip
    who = (actor.c.actor_user, actor.c.actor_name)
    return select(*renamed, *who).outerjoin(actor, actor.c.actor_id == old.ar_actor)


def _change_of(row: Row[Any]) -> dict[str, bool]:
    return {"has_change": row.rc_source in EDIT_SOURCES, "is_logged": row.rc_source == LOG}


def _edit_of(wiki: str, row: Row[Any]) -> Edit | None:
    user = None if row.rev_deleted & DELETED_USER else row.actor_name
    if row.page_namespace is None:
        return None
    # The page may have been moved since; recentchanges has the title that it had.
    has_change = row.rc_source in EDIT_SOURCES
    namespace, key = (row.rc_namespace, row.rc_title) if has_change else (row.page_namespace, row.page_title)
    try:
        return Edit(
            wiki=wiki,
            revision=row.rev_id,
            parent_revision=row.rev_parent_id or 0,
            page=row.page_id or None,
            namespace=namespace,
            title=shown_title(namespace, key),
            timestamp=moment_of(row.rev_timestamp),
            user=user,
            user_id=row.actor_user,
            is_minor=bool(row.rev_minor_edit),
            is_anonymous=is_address(user),
            length=row.rev_len,
            is_namespace_in_english=namespace != 0 or None,
            **_fields_of_change(row),
        )
    except ValueError:
        return None


def _fields_of_change(row: Row[Any]) -> dict[str, Any]:
    """What only recentchanges says; without it the source follows from the parent, and the rest is not known."""
    if row.rc_source not in EDIT_SOURCES:
        return {"source": EditSource.EDIT if row.rev_parent_id else EditSource.NEW}
    return {
        "source": EditSource(row.rc_source),
        "change": row.rc_id,
        "is_bot": bool(row.rc_bot),
        "patrol_status": PatrolStatus(row.rc_patrolled),
        "parent_length": row.rc_old_len,
    }
