"""The emulated wiki: MediaWiki's own tables, as far as filters and purges read them, and the saving of an edit.

Column names, types and indexes are those of MediaWiki 1.39, so that a statement written for a real wiki runs here
unchanged. Source: mediawiki/core maintenance/tables.json REL1_39. Left out on purpose: `rc_ip` and `rev_sha1`, since no
client address is kept here and newer MediaWikis drop the other.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    Column,
    Connection,
    CursorResult,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from outbox.columns import BinaryString, UnsignedBigInt, UnsignedInt, UnsignedTinyInt
from outbox.edits import Edit
from outbox.errors import ForeignTables
from outbox.ownership import are_ours, schema_of
from outbox.recording import record
from outbox.tables import INNODB, NAMING
from outbox.transactions import synchronous

metadata = MetaData(naming_convention=NAMING)

#: Names of the namespaces every wiki has, in English; a wiki's own language has others for the same numbers.
NAMESPACES = {
    0: "", 1: "Talk", 2: "User", 3: "User talk", 4: "Project", 5: "Project talk", 6: "File", 7: "File talk",
    8: "MediaWiki", 9: "MediaWiki talk", 10: "Template", 11: "Template talk", 12: "Help", 13: "Help talk",
    14: "Category", 15: "Category talk",
}  # fmt: skip

ZERO = text("0")
#: The bit of `rc_deleted` and `rev_deleted` that hides who it was.
#: Source: mediawiki/core includes/Revision/RevisionRecord.php, DELETED_USER, REL1_39.
DELETED_USER = 4

actor = Table(
    "actor",
    metadata,
    Column("actor_id", UnsignedBigInt.with_variant(Integer, "sqlite"), primary_key=True),
    Column("actor_user", UnsignedInt),
    Column("actor_name", BinaryString(255), nullable=False),
    UniqueConstraint("actor_user", name="actor_user"),
    UniqueConstraint("actor_name", name="actor_name"),
    **INNODB,
)

page = Table(
    "page",
    metadata,
    Column("page_id", UnsignedInt, primary_key=True),
    Column("page_namespace", Integer, nullable=False),
    Column("page_title", BinaryString(255), nullable=False),
    Column("page_is_redirect", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("page_is_new", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("page_random", Float(53), nullable=False, server_default=ZERO),
    Column("page_touched", BinaryString(14, fixed=True), nullable=False),
    Column("page_latest", UnsignedInt, nullable=False),
    Column("page_len", UnsignedInt, nullable=False),
    UniqueConstraint("page_namespace", "page_title", name="page_name_title"),
    **INNODB,
)

revision = Table(
    "revision",
    metadata,
    Column("rev_id", UnsignedInt, primary_key=True),
    Column("rev_page", UnsignedInt, nullable=False),
    Column("rev_actor", UnsignedBigInt, nullable=False, server_default=ZERO),
    Column("rev_timestamp", BinaryString(14, fixed=True), nullable=False),
    Column("rev_minor_edit", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rev_deleted", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rev_len", UnsignedInt),
    Column("rev_parent_id", UnsignedInt),
    Index("rev_timestamp", "rev_timestamp"),
    Index("rev_page_timestamp", "rev_page", "rev_timestamp"),
    Index("rev_actor_timestamp", "rev_actor", "rev_timestamp", "rev_id"),
    Index("rev_page_actor_timestamp", "rev_page", "rev_actor", "rev_timestamp"),
    **INNODB,
)

recentchanges = Table(
    "recentchanges",
    metadata,
    Column("rc_id", UnsignedInt, primary_key=True),
    Column("rc_timestamp", BinaryString(14, fixed=True), nullable=False),
    Column("rc_actor", UnsignedBigInt, nullable=False),
    Column("rc_namespace", Integer, nullable=False, server_default=ZERO),
    Column("rc_title", BinaryString(255), nullable=False, server_default=""),
    Column("rc_minor", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rc_bot", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rc_new", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rc_cur_id", UnsignedInt, nullable=False, server_default=ZERO),
    Column("rc_this_oldid", UnsignedInt, nullable=False, server_default=ZERO),
    Column("rc_last_oldid", UnsignedInt, nullable=False, server_default=ZERO),
    Column("rc_type", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rc_source", BinaryString(16), nullable=False, server_default=""),
    Column("rc_patrolled", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Column("rc_old_len", Integer),
    Column("rc_new_len", Integer),
    Column("rc_deleted", UnsignedTinyInt, nullable=False, server_default=ZERO),
    Index("rc_timestamp", "rc_timestamp"),
    Index("rc_namespace_title_timestamp", "rc_namespace", "rc_title", "rc_timestamp"),
    Index("rc_cur_id", "rc_cur_id"),
    Index("rc_new_name_timestamp", "rc_new", "rc_namespace", "rc_timestamp"),
    Index("rc_ns_actor", "rc_namespace", "rc_actor"),
    Index("rc_actor", "rc_actor", "rc_timestamp"),
    Index("rc_name_type_patrolled_timestamp", "rc_namespace", "rc_type", "rc_patrolled", "rc_timestamp"),
    Index("rc_this_oldid", "rc_this_oldid"),
    **INNODB,
)

CORE = tuple(metadata.sorted_tables)
#: By the columns of these a MediaWiki's tables are told from ours; there is no wiki without them.
TOLD_BY = (page, revision)

#: What is read of a wiki's own tables. MediaWiki has it from 1.39 on; later ones drop other columns, such as rc_new.
READ = {
    "actor": {"actor_id", "actor_name"},
    "page": {"page_id", "page_namespace", "page_title", "page_latest"},
    "revision": {"rev_id", "rev_page", "rev_actor", "rev_timestamp", "rev_parent_id"},
    "recentchanges": {column.name for column in recentchanges.columns} - {"rc_new", "rc_type"},
}


def is_emulated(session: Session | Connection) -> bool:
    """Whether this is an emulated wiki: all its tables were made by us. A wiki that exists is never written to.

    Costs statements on a connection's first call only; see `outbox.ownership`.
    """
    return are_ours(session, CORE, TOLD_BY)


def must_be_emulated(session: Session | Connection) -> None:
    """
    Raises:
        ForeignTables: a table of the wiki was not made by us.
    """
    if not is_emulated(session):
        connection = session.connection() if isinstance(session, Session) else session
        name = schema_of(connection) or connection.engine.url.database
        raise ForeignTables(
            f"the database {name} is not that of an emulated wiki: {', '.join(READ)} were not all made by Outpatrol, "
            "and are never written to; promise the edit with outbox.record, or set emulated = true for a wiki with a "
            "database of its own and run: outpatrol migrate"
        )


def save_edit(session: Session, edit: Edit) -> None:
    """Save *edit* as a wiki would and promise its scoring, all through *session*, in the caller's transaction.

    On an emulated wiki only: whether it is one is asked before the first row is written.

    A real MediaWiki writes `recentchanges` and its job after the revision's commit, each in a transaction of its own,
    and can lose both; here they stand or fall together.

    Raises:
        ForeignTables: the wiki is not an emulated one, and nothing was written.
        sqlalchemy.exc.IntegrityError: the wiki has this revision, or another page of this title, already.
    """
    synchronous(session, "mediawiki.save_edit")
    must_be_emulated(session)
    moment = mediawiki_timestamp(edit.timestamp)
    actor_id, hidden = (0, DELETED_USER) if edit.user is None else (_actor_of(session, edit.user), 0)
    _save_page(session, edit, moment)
    session.execute(
        insert(revision).values(
            rev_id=edit.revision,
            rev_page=edit.page,
            rev_actor=actor_id,
            rev_timestamp=moment,
            rev_minor_edit=edit.is_minor,
            rev_deleted=hidden,
            rev_len=edit.length,
            rev_parent_id=edit.parent_revision,
        )
    )
    session.execute(
        insert(recentchanges).values(
            **({"rc_id": edit.change} if edit.change else {}),
            rc_timestamp=moment,
            rc_actor=actor_id,
            rc_namespace=edit.namespace,
            rc_title=database_key(edit),
            rc_minor=edit.is_minor,
            rc_bot=edit.is_bot,
            rc_new=edit.is_new_page,
            rc_cur_id=edit.page,
            rc_this_oldid=edit.revision,
            rc_last_oldid=edit.parent_revision,
            rc_type=int(edit.is_new_page),
            rc_source=edit.source.value,
            rc_patrolled=edit.patrol_status.value,
            rc_old_len=edit.parent_length,
            rc_new_len=edit.length,
            rc_deleted=hidden,
        )
    )
    record(session, edit)


def free_title(session: Session, edit: Edit) -> None:
    """Let *edit* have its title, where another page of an emulated wiki has it: that one was moved or deleted since, of
    which nobody told. It stays, with its revisions, under a title that says so. Does not commit.

    Raises:
        ForeignTables: the wiki is not an emulated one, and nothing was written.
    """
    must_be_emulated(session)
    same_title = (page.c.page_namespace == edit.namespace) & (page.c.page_title == database_key(edit))
    others = select(page.c.page_id).where(same_title, page.c.page_id != edit.page)
    for other in session.execute(others).scalars().all():
        title = _cut(f"Broken/id:{other}/{database_key(edit)}")
        session.execute(update(page).where(page.c.page_id == other).values(page_title=title))


def has_revision(session: Session, revision_id: int) -> bool:
    """Whether the wiki has that revision."""
    return session.execute(select(revision.c.rev_id).where(revision.c.rev_id == revision_id)).first() is not None


def pages_of(session: Session, revisions: Collection[int]) -> dict[int, int]:
    """Revision to the page it is of, as far as the wiki has those revisions."""
    query = select(revision.c.rev_id, revision.c.rev_page).where(revision.c.rev_id.in_(revisions))
    return {row.rev_id: row.rev_page for row in session.execute(query)}


def latest_revisions(session: Session | Connection, pages: Collection[int]) -> set[int]:
    """The newest revisions of *pages*."""
    return set(session.execute(select(page.c.page_latest).where(page.c.page_id.in_(sorted(pages)))).scalars())


def mediawiki_timestamp(moment: datetime) -> str:
    """`YYYYMMDDHHMMSS` in UTC, the form of every timestamp column."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def database_key(edit: Edit) -> str:
    """The title as the tables hold it: no namespace prefix, underscores for spaces, cut to the column's 255 bytes."""
    _, colon, rest = edit.title.partition(":")
    title = rest if edit.namespace and colon and rest else edit.title
    return _cut(title.replace(" ", "_"))


def _cut(title: str) -> str:
    return title.encode()[:255].decode(errors="ignore")


def shown_title(namespace: int, key: str) -> str:
    """The title as people read it, with the namespace's English name."""
    prefix = NAMESPACES.get(namespace, str(namespace))
    return (f"{prefix}:" if prefix else "") + key.replace("_", " ")


def _actor_of(session: Session, name: str) -> int:
    same = select(actor.c.actor_id).where(actor.c.actor_name == name)
    known: int | None = session.execute(same).scalar_one_or_none()
    if known is not None:
        return known
    new = insert(actor).values(actor_name=name).returning(actor.c.actor_id)
    return int(session.execute(new).scalar_one())


def _save_page(session: Session, edit: Edit, moment: str) -> None:
    state = {
        # Told by every edit, so that a page that was moved, or had to give up its title, gets the one it has now.
        "page_namespace": edit.namespace,
        "page_title": database_key(edit),
        "page_latest": edit.revision,
        "page_len": edit.length or 0,
        "page_touched": moment,
        "page_is_new": edit.is_new_page,
    }
    updated = session.execute(update(page).where(page.c.page_id == edit.page).values(state))
    if cast("CursorResult[Any]", updated).rowcount == 0:
        session.execute(insert(page).values(page_id=edit.page, **state))
