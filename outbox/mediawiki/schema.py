"""A wiki's own tables: MediaWiki's, as far as filters and purges read them.

Column names, types and indexes are those of MediaWiki 1.39, so that a statement written for a real wiki runs on an
emulated one unchanged. Source: mediawiki/core maintenance/tables.json REL1_39. Left out on purpose: `rc_ip` and
`rev_sha1`: no client address is kept here, and newer MediaWikis have dropped `rev_sha1`.
"""

import unicodedata
from datetime import UTC, datetime

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, UniqueConstraint, text

from outbox.columns import BinaryString, UnsignedBigInt, UnsignedInt, UnsignedTinyInt
from outbox.tables import INNODB, NAMING

metadata = MetaData(naming_convention=NAMING)

ZERO = text("0")
#: The bits of `rc_deleted` and `rev_deleted` that hide the text, the comment and who it was.
#: Source: mediawiki/core includes/Revision/RevisionRecord.php, DELETED_TEXT and the following, REL1_39.
DELETED_TEXT, DELETED_COMMENT, DELETED_USER = 1, 2, 4
#: A change or page without a known id gets one that no wiki has come near, so that it never clashes with a real one
#: that comes later: a change gets 2^52 plus its revision, a page a number above 2^31.
FIRST_INVENTED_CHANGE, FIRST_INVENTED_PAGE = 2**52, 2**31

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
    # 64 bits, as MediaWiki has it from 1.43 on; large enough for the ids that are made up here.
    Column("rc_id", UnsignedBigInt.with_variant(Integer, "sqlite"), primary_key=True),
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

#: What an emulated wiki is made of.
CORE = tuple(metadata.sorted_tables)
#: Every wiki has these; their columns show whether the tables are a MediaWiki's or ours.
DISTINCTIVE = (page, revision)

#: What is read of a wiki's own tables. MediaWiki has it from 1.39 on; later ones drop other columns, such as rc_new.
READ = {
    "actor": {"actor_id", "actor_user", "actor_name"},
    "page": {"page_id", "page_namespace", "page_title", "page_latest"},
    "revision": {column.name for column in revision.columns},
    "recentchanges": {column.name for column in recentchanges.columns} - {"rc_new", "rc_type"},
}


#: Where a MediaWiki keeps the revisions of deleted pages. An emulated wiki has none: there they stay where they are.
archive = Table(
    "archive",
    metadata,
    Column("ar_namespace", Integer),
    Column("ar_title", BinaryString(255)),
    Column("ar_rev_id", UnsignedInt),
    Column("ar_page_id", UnsignedInt),
    Column("ar_actor", UnsignedBigInt),
    Column("ar_timestamp", BinaryString(14, fixed=True)),
    Column("ar_minor_edit", UnsignedTinyInt),
    Column("ar_deleted", UnsignedTinyInt),
    Column("ar_len", UnsignedInt),
    Column("ar_parent_id", UnsignedInt),
)


def title_key(namespace: int, title: str) -> str:
    """The title as the tables hold it: no namespace prefix, underscores for spaces, cut to the column's 255 bytes."""
    _, colon, rest = title.partition(":")
    title = rest if namespace and colon and rest else title
    return cut_title(title.replace(" ", "_"))


def article_key(title: str) -> str:
    """The title of an article, however people write it: NFC, no blanks around, the first letter a capital.

    Source: mediawiki/core includes/Title/MediaWikiTitleCodec.php `splitTitleString`.
    """
    key = "_".join(unicodedata.normalize("NFC", title).replace("_", " ").split())
    first = key[:1].upper()
    return cut_title((first if len(first) == 1 else key[:1]) + key[1:])


def cut_title(title: str) -> str:
    """*title* cut to the 255 bytes that its column has, and not within a letter."""
    return title.encode()[:255].decode(errors="ignore")


def mediawiki_timestamp(moment: datetime) -> str:
    """`YYYYMMDDHHMMSS` in UTC, the form of every timestamp column."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def moment_of(timestamp: str) -> datetime:
    """The time in a timestamp column.

    Raises:
        ValueError: there is no such time.
    """
    return datetime.strptime(timestamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
