"""MediaWiki's own tables on an emulated wiki, and Extension:ORES' where the wiki does not have them already.

On a real wiki they exist already and are left as they are. The names of those made here are kept in
`outpatrol_own_table`, so that we never write to, or drop, a table that belongs to the wiki (`outbox.ownership`).
Source: mediawiki/core maintenance/tables.json REL1_39; mediawiki/extensions/ORES sql/tables.json @ e8804727.
"""

from pathlib import Path
from typing import Any

from alembic import context, op
from alembic.util import load_python_file
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    UniqueConstraint,
    delete,
    inspect,
    text,
)
from sqlalchemy.dialects import mysql

from outbox.ownership import have_our_columns, made_here, make_missing, marks

frozen = load_python_file(Path(__file__).parents[1], "frozen.py")

revision = "0002_wiki_tables"
down_revision = "0001_own_tables"
branch_labels = None
depends_on = None

Bits8 = Integer().with_variant(mysql.TINYINT(unsigned=True), *frozen.MARIADB)
Bits16 = Integer().with_variant(mysql.SMALLINT(unsigned=True), *frozen.MARIADB)
Bits32 = frozen.UnsignedInt
Bits64 = BigInteger().with_variant(mysql.BIGINT(unsigned=True), *frozen.MARIADB)
CountingBits64 = Bits64.with_variant(Integer, "sqlite")
Signed8 = Integer().with_variant(mysql.TINYINT(), *frozen.MARIADB)
Signed16 = Integer().with_variant(mysql.SMALLINT(), *frozen.MARIADB)
Flag = Integer().with_variant(mysql.TINYINT(display_width=1), *frozen.MARIADB)
Timestamp = frozen.binary_string(14, fixed=True)
String16, String32, String255 = (frozen.binary_string(length) for length in (16, 32, 255))
ZERO = text("0")
#: The tables of Extension:ORES.
BINARY: dict[str, Any] = frozen.INNODB | {f"{dialect}_charset": "binary" for dialect in frozen.MARIADB}

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})

ACTOR = Table(
    "actor",
    metadata,
    Column("actor_id", CountingBits64, primary_key=True),
    Column("actor_user", Bits32),
    Column("actor_name", String255, nullable=False),
    UniqueConstraint("actor_user", name="actor_user"),
    UniqueConstraint("actor_name", name="actor_name"),
    **frozen.INNODB,
)
PAGE = Table(
    "page",
    metadata,
    Column("page_id", Bits32, primary_key=True),
    Column("page_namespace", Integer, nullable=False),
    Column("page_title", String255, nullable=False),
    Column("page_is_redirect", Bits8, nullable=False, server_default=ZERO),
    Column("page_is_new", Bits8, nullable=False, server_default=ZERO),
    Column("page_random", Float(53), nullable=False, server_default=ZERO),
    Column("page_touched", Timestamp, nullable=False),
    Column("page_latest", Bits32, nullable=False),
    Column("page_len", Bits32, nullable=False),
    UniqueConstraint("page_namespace", "page_title", name="page_name_title"),
    **frozen.INNODB,
)
REVISION = Table(
    "revision",
    metadata,
    Column("rev_id", Bits32, primary_key=True),
    Column("rev_page", Bits32, nullable=False),
    Column("rev_actor", Bits64, nullable=False, server_default=ZERO),
    Column("rev_timestamp", Timestamp, nullable=False),
    Column("rev_minor_edit", Bits8, nullable=False, server_default=ZERO),
    Column("rev_deleted", Bits8, nullable=False, server_default=ZERO),
    Column("rev_len", Bits32),
    Column("rev_parent_id", Bits32),
    Index("rev_timestamp", "rev_timestamp"),
    Index("rev_page_timestamp", "rev_page", "rev_timestamp"),
    Index("rev_actor_timestamp", "rev_actor", "rev_timestamp", "rev_id"),
    Index("rev_page_actor_timestamp", "rev_page", "rev_actor", "rev_timestamp"),
    **frozen.INNODB,
)
RECENTCHANGES = Table(
    "recentchanges",
    metadata,
    Column("rc_id", CountingBits64, primary_key=True),
    Column("rc_timestamp", Timestamp, nullable=False),
    Column("rc_actor", Bits64, nullable=False),
    Column("rc_namespace", Integer, nullable=False, server_default=ZERO),
    Column("rc_title", String255, nullable=False, server_default=""),
    Column("rc_minor", Bits8, nullable=False, server_default=ZERO),
    Column("rc_bot", Bits8, nullable=False, server_default=ZERO),
    Column("rc_new", Bits8, nullable=False, server_default=ZERO),
    Column("rc_cur_id", Bits32, nullable=False, server_default=ZERO),
    Column("rc_this_oldid", Bits32, nullable=False, server_default=ZERO),
    Column("rc_last_oldid", Bits32, nullable=False, server_default=ZERO),
    Column("rc_type", Bits8, nullable=False, server_default=ZERO),
    Column("rc_source", String16, nullable=False, server_default=""),
    Column("rc_patrolled", Bits8, nullable=False, server_default=ZERO),
    Column("rc_old_len", Integer),
    Column("rc_new_len", Integer),
    Column("rc_deleted", Bits8, nullable=False, server_default=ZERO),
    Index("rc_timestamp", "rc_timestamp"),
    Index("rc_namespace_title_timestamp", "rc_namespace", "rc_title", "rc_timestamp"),
    Index("rc_cur_id", "rc_cur_id"),
    Index("rc_new_name_timestamp", "rc_new", "rc_namespace", "rc_timestamp"),
    Index("rc_ns_actor", "rc_namespace", "rc_actor"),
    Index("rc_actor", "rc_actor", "rc_timestamp"),
    Index("rc_name_type_patrolled_timestamp", "rc_namespace", "rc_type", "rc_patrolled", "rc_timestamp"),
    Index("rc_this_oldid", "rc_this_oldid"),
    **frozen.INNODB,
)
CLASSIFICATION = Table(
    "ores_classification",
    metadata,
    Column("oresc_id", CountingBits64, primary_key=True, autoincrement=True),
    Column("oresc_rev", Bits32, nullable=False),
    Column("oresc_model", Signed16, nullable=False),
    Column("oresc_class", Signed8, nullable=False),
    Column("oresc_probability", Numeric(3, 3), nullable=False),
    Column("oresc_is_predicted", Flag, nullable=False),
    Index("oresc_rev_model_class", "oresc_rev", "oresc_model", "oresc_class", unique=True),
    Index("oresc_model_class_prob", "oresc_model", "oresc_class", "oresc_probability"),
    **BINARY,
)
MODEL = Table(
    "ores_model",
    metadata,
    Column("oresm_id", Bits16, primary_key=True, autoincrement=True),
    Column("oresm_name", String32, nullable=False),
    Column("oresm_version", String32, nullable=False),
    Column("oresm_is_current", Flag, nullable=False),
    Index("oresm_model_status", "oresm_name", "oresm_is_current"),
    Index("oresm_version", "oresm_name", "oresm_version", unique=True),
    **BINARY,
)

CORE = (ACTOR, PAGE, RECENTCHANGES, REVISION)
ORES = (CLASSIFICATION, MODEL)
#: They read these tables; missing ones are made when all migrations are through.
VIEWS = ("outpatrol_recent_change", "outpatrol_score")


def upgrade() -> None:
    bind = op.get_bind()
    if context.config.attributes["emulated"]:
        make_missing(bind, CORE)
    make_missing(bind, ORES)


def downgrade() -> None:
    bind = op.get_bind()
    for view in VIEWS:
        bind.execute(text(f"DROP VIEW IF EXISTS {view}"))
    inspector = inspect(bind)
    marked = marks(bind)
    ours = [table for table in (*CORE, *ORES) if table.name in marked and inspector.has_table(table.name)]
    # A dump of a MediaWiki that was loaded over our tables left the marks, and some of its tables look like ours.
    if have_our_columns(bind, [table for table in ours if table in (PAGE, REVISION)]):
        for table in reversed(ours):
            table.drop(bind)
            # At once, since with MariaDB a dropped table stays dropped if a later statement fails.
            bind.execute(delete(made_here).where(made_here.c.name == table.name))
    bind.execute(delete(made_here))
