"""What is in recentchanges: reading edits back, and letting old changes go."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, inspect, select
from sqlalchemy.orm import Session

from outbox.columns import BY_KEY
from outbox.edits import Edit, EditSource, PatrolStatus, is_address
from outbox.mediawiki import (
    DELETED_USER,
    actor,
    mediawiki_timestamp,
    must_be_emulated,
    recentchanges,
    revision,
    shown_title,
)
from outbox.ownership import schema_of


def recent_edits(
    session: Session | Connection, wiki: str, *, before: int | None = None, limit: int
) -> tuple[list[Edit], int | None]:
    """The newest *limit* edits in recentchanges whose `rc_id` is less than *before*, the newest first.

    Returns them with the `rc_id` to pass as *before* the next time, or None if there are no more. A change that can't
    be an edit any more (its values are out of range, its user is hidden) is left out.
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
        .join(actor, actor.c.actor_id == change.rc_actor)
        .where(change.rc_source.in_([source.value for source in EditSource]))
        .order_by(change.rc_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(change.rc_id < before)
    rows = session.execute(query).all()
    edits = [edit for row in rows if (edit := _edit_of(wiki, row)) is not None]
    return edits, rows[-1].rc_id if len(rows) == limit else None


def has_recent_changes(session: Session) -> bool:
    """Whether the database has a table recentchanges; an application that only uses the outbox need not be a wiki."""
    connection = session.connection()
    return inspect(connection).has_table(recentchanges.name, schema=schema_of(connection))


def revisions_in_recent_changes(session: Session | Connection, revisions: Collection[int]) -> set[int]:
    """Which of *revisions* are still in recentchanges."""
    change = recentchanges.c.rc_this_oldid
    return set(session.execute(select(change).where(change.in_(sorted(revisions)))).scalars())


def existing_revisions(session: Session | Connection, revisions: Collection[int]) -> set[int]:
    """Which of *revisions* the wiki still has."""
    return set(session.execute(select(revision.c.rev_id).where(revision.c.rev_id.in_(sorted(revisions)))).scalars())


def newest_revision_in_recent_changes(session: Session | Connection) -> int | None:
    """The highest revision id in recentchanges; None where it has none."""
    return session.execute(select(func.max(recentchanges.c.rc_this_oldid))).scalar()


def expire_changes(session: Session, *, before: datetime, limit: int) -> list[int]:
    """Remove the oldest *limit* changes from before that moment; returns the revision of each, 0 where it has none.

    Does not commit.
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


def _edit_of(wiki: str, row: Any) -> Edit | None:
    # A hidden user must not come back into a payload.
    if row.rc_deleted & DELETED_USER:
        return None
    try:
        return Edit(
            wiki=wiki,
            revision=row.rc_this_oldid,
            parent_revision=row.rc_last_oldid,
            change=row.rc_id,
            page=row.rc_cur_id,
            namespace=row.rc_namespace,
            title=shown_title(row.rc_namespace, row.rc_title),
            timestamp=datetime.strptime(row.rc_timestamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC),
            source=EditSource(row.rc_source),
            user=row.actor_name,
            is_bot=bool(row.rc_bot),
            is_minor=bool(row.rc_minor),
            is_anonymous=is_address(row.actor_name),
            patrol_status=PatrolStatus(row.rc_patrolled),
            length=row.rc_new_len,
            parent_length=row.rc_old_len,
        )
    except ValueError:
        return None
