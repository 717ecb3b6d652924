"""Reading the tables of a wiki, emulated or not: edits out of recentchanges, revisions and titles."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.orm import Session

from outbox.edits import Edit, EditSource, PatrolStatus, is_address
from outbox.mediawiki.schema import (
    DELETED_USER,
    FIRST_INVENTED_CHANGE,
    FIRST_INVENTED_PAGE,
    actor,
    archive,
    article_key,
    moment_of,
    page,
    recentchanges,
    revision,
    title_key,
)
from outbox.ownership import connection_of, schema_of

#: Names of the namespaces every wiki has, in English; a wiki's own language has others for the same numbers.
NAMESPACES = {
    0: "", 1: "Talk", 2: "User", 3: "User talk", 4: "Project", 5: "Project talk", 6: "File", 7: "File talk",
    8: "MediaWiki", 9: "MediaWiki talk", 10: "Template", 11: "Template talk", 12: "Help", 13: "Help talk",
    14: "Category", 15: "Category talk",
}  # fmt: skip


def recent_edits(
    session: Session | Connection, wiki: str, *, before: int | None = None, limit: int
) -> tuple[list[Edit], int | None]:
    """The newest *limit* edits in recentchanges whose `rc_id` is less than *before*, the newest first.

    Returns them with the `rc_id` to pass as *before* the next time, or None if there are no more. A change that can't
    be an edit any more (its values are out of range) is left out. A hidden user is not returned.
    """
    change = recentchanges.c
    # Columns that newer MediaWikis drop, such as rc_new and rc_type, are not asked for.
    wanted = (
        change.rc_id, change.rc_timestamp, change.rc_namespace, change.rc_title, change.rc_minor, change.rc_bot,
        change.rc_cur_id, change.rc_this_oldid, change.rc_last_oldid, change.rc_source, change.rc_patrolled,
        change.rc_old_len, change.rc_new_len, change.rc_deleted, actor.c.actor_name,
    )  # fmt: skip
    query = (
        select(*wanted)
        .outerjoin(actor, actor.c.actor_id == change.rc_actor)
        .where(change.rc_source.in_([source.value for source in EditSource]))
        .order_by(change.rc_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(change.rc_id < before)
    rows = session.execute(query).all()
    edits = [edit for row in rows if (edit := _edit_of(wiki, row)) is not None]
    return edits, rows[-1].rc_id if len(rows) == limit else None


def has_recent_changes(session: Session | Connection) -> bool:
    """Whether the database has a table recentchanges; an application that only uses the outbox need not be a wiki."""
    connection = connection_of(session)
    return inspect(connection).has_table(recentchanges.name, schema=schema_of(connection))


def revisions_in_recent_changes(session: Session | Connection, revisions: Collection[int]) -> set[int]:
    """Which of *revisions* are still in recentchanges."""
    change = recentchanges.c.rc_this_oldid
    return set(session.execute(select(change).where(change.in_(sorted(revisions)))).scalars())


def newest_revision_in_recent_changes(session: Session | Connection) -> int | None:
    """The highest revision id in recentchanges; None where it has none."""
    return session.execute(select(func.max(recentchanges.c.rc_this_oldid))).scalar()


def existing_revisions(session: Session | Connection, revisions: Collection[int]) -> set[int]:
    """Which of *revisions* the wiki still has."""
    return set(session.execute(select(revision.c.rev_id).where(revision.c.rev_id.in_(sorted(revisions)))).scalars())


def has_revision(session: Session | Connection, revision_id: int) -> bool:
    """Whether the wiki has that revision."""
    return session.execute(select(revision.c.rev_id).where(revision.c.rev_id == revision_id)).first() is not None


def has_page(session: Session | Connection, page_id: int) -> bool:
    """Whether the wiki has that page, and it is not deleted."""
    return session.execute(select(page.c.page_id).where(page.c.page_id == page_id)).first() is not None


def revisions_of_page(session: Session | Connection, page_id: int, namespace: int, title: str) -> set[int]:
    """All revisions of the page that has that *title* (with its namespace prefix), or had it when it was deleted."""
    connection = connection_of(session)
    found = set(session.execute(select(revision.c.rev_id).where(revision.c.rev_page == page_id)).scalars())
    if inspect(connection).has_table(archive.name, schema=schema_of(connection)):
        # By its title, for which alone there is an index.
        old = archive.c
        has_title = (old.ar_namespace == namespace) & (old.ar_title == title_key(namespace, title))
        found |= set(session.execute(select(old.ar_rev_id).where(has_title, old.ar_page_id == page_id)).scalars())
    return found


def pages_of(session: Session | Connection, revisions: Collection[int]) -> dict[int, int]:
    """Revision to the id of its page, for those revisions that the wiki has; without numbers that were made up here.

    Empty if the database has no table of revisions: an application that uses the outbox need not be a wiki.
    """
    connection = connection_of(session)
    if not inspect(connection).has_table(revision.name, schema=schema_of(connection)):
        return {}
    is_real = revision.c.rev_page < FIRST_INVENTED_PAGE
    query = select(revision.c.rev_id, revision.c.rev_page).where(revision.c.rev_id.in_(sorted(revisions)), is_real)
    return {row.rev_id: row.rev_page for row in session.execute(query)}


def latest_revisions(session: Session | Connection, revisions: Collection[int]) -> set[int]:
    """Those of *revisions* that are the newest of their page."""
    is_latest = (page.c.page_id == revision.c.rev_page) & (page.c.page_latest == revision.c.rev_id)
    query = select(page.c.page_latest).join(revision, is_latest)
    return set(session.execute(query.where(revision.c.rev_id.in_(sorted(revisions)))).scalars())


def latest_revision_of(
    session: Session | Connection, *, page_id: int | None = None, title: str | None = None
) -> int | None:
    """The newest revision of a page of that id, or of the article of that title; None if it is not there.

    As in `pages_of` there may be no such table.
    """
    connection = connection_of(session)
    if not inspect(connection).has_table(page.name, schema=schema_of(connection)):
        return None
    if title is None:
        is_it = (page.c.page_id == page_id) & (page.c.page_id < FIRST_INVENTED_PAGE)
    else:
        is_it = (page.c.page_namespace == 0) & (page.c.page_title == article_key(title))
    return session.execute(select(page.c.page_latest).where(is_it, page.c.page_latest > 0)).scalar()


def shown_title(namespace: int, key: str) -> str:
    """The title as people read it, with the namespace's English name."""
    prefix = NAMESPACES.get(namespace, str(namespace))
    return (f"{prefix}:" if prefix else "") + key.replace("_", " ")


def _edit_of(wiki: str, row: Any) -> Edit | None:
    # A hidden user must not come back into a payload.
    user = None if row.rc_deleted & DELETED_USER else row.actor_name
    try:
        return Edit(
            wiki=wiki,
            revision=row.rc_this_oldid,
            parent_revision=row.rc_last_oldid,
            # Made-up numbers are not passed on.
            change=row.rc_id if row.rc_id < FIRST_INVENTED_CHANGE else None,
            page=row.rc_cur_id if row.rc_cur_id < FIRST_INVENTED_PAGE else None,
            namespace=row.rc_namespace,
            title=shown_title(row.rc_namespace, row.rc_title),
            timestamp=moment_of(row.rc_timestamp),
            source=EditSource(row.rc_source),
            user=user,
            is_bot=bool(row.rc_bot),
            is_minor=bool(row.rc_minor),
            is_anonymous=is_address(user),
            patrol_status=PatrolStatus(row.rc_patrolled),
            length=row.rc_new_len,
            parent_length=row.rc_old_len,
            is_namespace_in_english=row.rc_namespace != 0 or None,
        )
    except ValueError:
        return None
