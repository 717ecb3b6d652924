"""A wiki with many recent changes and scores, filled by the server itself.

Beside the tables that the migrations make stand those of MediaWiki 1.39 that Extension:ORES' own statements join.
Source of these: mediawiki/core maintenance/tables.json REL1_39.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymysql.cursors import Cursor
from sqlalchemy import BLOB, Column, Index, MetaData, Table, UniqueConstraint, text

from benchmarks.contenders import Tell
from benchmarks.measuring import Announce
from benchmarks.servers import connect, url_of
from outbox.columns import BinaryString, UnsignedBigInt, UnsignedInt, UnsignedTinyInt
from outbox.database import Database
from outbox.tables import INNODB, NAMING
from worker.domain.thresholds import DAMAGING, GOODFAITH, REVERT_RISK
from worker.scores.model_versions import all_models, make_current
from worker.upkeep.migrating import migrate

DAYS = 30
ACTORS = 20_000
#: Rows of one statement.
CHUNK = 50_000
OLD, CURRENT = "0.4.0", "0.5.1"
MODELS = (DAMAGING, GOODFAITH, REVERT_RISK)
#: Skewed as the emulated scoring endpoint's: most edits do no harm.
PROBABILITIES = {DAMAGING: "POW(RAND(), 4)", GOODFAITH: "1 - POW(RAND(), 4)", REVERT_RISK: "POW(RAND(), 3)"}
BOTS, AUTOPATROLLED, PATROLLED, ARTICLES = 0.15, 0.12, 0.10, 65
TAGS, TAGGED = 20, 0.4

metadata = MetaData(naming_convention=NAMING)

comment = Table(
    "comment",
    metadata,
    Column("comment_id", UnsignedBigInt, primary_key=True),
    Column("comment_hash", UnsignedInt, nullable=False),
    Column("comment_text", BLOB, nullable=False),
    Column("comment_data", BLOB),
    Index("comment_hash", "comment_hash"),
    **INNODB,
)

change_tag_def = Table(
    "change_tag_def",
    metadata,
    Column("ctd_id", UnsignedInt, primary_key=True),
    Column("ctd_name", BinaryString(255), nullable=False),
    Column("ctd_user_defined", UnsignedTinyInt, nullable=False),
    Column("ctd_count", UnsignedBigInt, nullable=False, server_default=text("0")),
    UniqueConstraint("ctd_name", name="ctd_name"),
    **INNODB,
)

change_tag = Table(
    "change_tag",
    metadata,
    Column("ct_id", UnsignedInt, primary_key=True),
    Column("ct_rc_id", UnsignedInt),
    Column("ct_log_id", UnsignedInt),
    Column("ct_rev_id", UnsignedInt),
    Column("ct_params", BLOB),
    Column("ct_tag_id", UnsignedInt, nullable=False),
    UniqueConstraint("ct_rc_id", "ct_tag_id", name="change_tag_rc_tag_id"),
    UniqueConstraint("ct_log_id", "ct_tag_id", name="change_tag_log_tag_id"),
    UniqueConstraint("ct_rev_id", "ct_tag_id", name="change_tag_rev_tag_id"),
    Index("change_tag_tag_id_id", "ct_tag_id", "ct_rc_id", "ct_rev_id", "ct_log_id"),
    **INNODB,
)

#: The columns of recentchanges that no reader of ours asks for. Edits that are saved later all have the first comment.
OTHER_COLUMNS = """
ALTER TABLE recentchanges
  ADD COLUMN rc_comment_id BIGINT UNSIGNED NOT NULL DEFAULT 1, ADD COLUMN rc_ip VARBINARY(40) NOT NULL DEFAULT '',
  ADD COLUMN rc_logid INT UNSIGNED NOT NULL DEFAULT 0, ADD COLUMN rc_log_type VARBINARY(255),
  ADD COLUMN rc_log_action VARBINARY(255), ADD COLUMN rc_params BLOB
"""

FILL_ACTORS = """
INSERT INTO actor (actor_id, actor_user, actor_name) SELECT seq, seq, CONCAT('User ', seq) FROM seq_{first}_to_{last}
"""

FILL_PAGES = """
INSERT INTO page (page_id, page_namespace, page_title, page_touched, page_latest, page_len)
SELECT seq, {namespace_of_seq}, CONCAT('Page_', seq), '20261101000000', seq, 5000 FROM seq_{first}_to_{last}
"""

FILL_COMMENTS = """
INSERT INTO comment (comment_id, comment_hash, comment_text)
SELECT seq, CRC32(seq), CONCAT('/* History */ see the talk page, section ', seq) FROM seq_{first}_to_{last}
"""

FILL_CHANGES = """
INSERT INTO recentchanges (
  rc_id, rc_timestamp, rc_actor, rc_namespace, rc_title, rc_minor, rc_bot, rc_cur_id, rc_this_oldid, rc_last_oldid,
  rc_source, rc_patrolled, rc_old_len, rc_new_len, rc_comment_id, rc_ip, rc_params
)
SELECT
  seq, DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL age SECOND, '%Y%m%d%H%i%s'), 1 + FLOOR(POW(RAND(), 3) * {actors}),
  {namespace_of_page}, CONCAT('Page_', page), RAND() < 0.25, who < {bots}, page, {older} + seq, {older} + seq - 1,
  'mw.edit', CASE WHEN who < {bots} THEN 0 WHEN who < {bots} + {autopatrolled} THEN 2 ELSE RAND() < {patrolled} END,
  5000, 5000 + FLOOR(RAND() * 400) - 100, seq, '192.0.2.1', ''
FROM (
  SELECT seq, 1 + FLOOR(RAND() * {pages}) AS page, RAND() AS who,
    FLOOR(({changes} - seq) * {seconds} / {changes} + RAND() * 10) AS age
  FROM seq_{first}_to_{last}
) AS drawn
"""

FILL_TAGS = """
INSERT INTO change_tag (ct_rc_id, ct_rev_id, ct_tag_id)
SELECT seq, {older} + seq, 1 + FLOOR(RAND() * {tags}) FROM seq_{first}_to_{last} WHERE RAND() < {tagged}
"""

FILL_TAG_NAMES = """
INSERT INTO change_tag_def (ctd_id, ctd_name, ctd_user_defined) SELECT seq, CONCAT('tag-', seq), 0
FROM seq_{first}_to_{last}
"""

SCORE = "INSERT INTO ores_classification (oresc_rev, oresc_model, oresc_class, oresc_probability, oresc_is_predicted)"
#: Scores of revisions that have left recentchanges, of *models* by name.
FILL_OLDER_SCORES = """
{score} SELECT revision, model, 1, probability, probability >= 0.5
FROM (SELECT seq AS revision, oresm_id AS model, LEAST(ROUND({probability}, 3), 0.999) AS probability
  FROM seq_{first}_to_{last} STRAIGHT_JOIN ores_model WHERE oresm_version = '{version}' AND oresm_name IN ({models})
) AS drawn
"""

FILL_SCORES = """
{score} SELECT revision, model, 1, probability, probability >= 0.5
FROM (SELECT rc_this_oldid AS revision, oresm_id AS model, LEAST(ROUND({probability}, 3), 0.999) AS probability
  FROM recentchanges STRAIGHT_JOIN ores_model
  WHERE rc_id BETWEEN {first} AND {last} AND rc_bot = 0 AND rc_patrolled <> 2 AND oresm_is_current = 1
    AND (oresm_name <> '{risk}' OR rc_namespace = 0)
) AS drawn
"""

COUNT_SCORES = """
SELECT SUM(2 + (rc_namespace = 0)) FROM recentchanges WHERE rc_bot = 0 AND rc_patrolled <> 2
"""

INDEXES = ("oresc_rev_model_class", "oresc_model_class_prob")
DROP_INDEXES = "ALTER TABLE ores_classification " + ", ".join(f"DROP INDEX {name}" for name in INDEXES)
ADD_INDEXES = """
ALTER TABLE ores_classification
  ADD UNIQUE INDEX oresc_rev_model_class (oresc_rev, oresc_model, oresc_class),
  ADD INDEX oresc_model_class_prob (oresc_model, oresc_class, oresc_probability)
"""
#: Made last.
FILLED = "benchmark_is_filled"
ANALYZED = ("recentchanges", "ores_classification", "actor", "page", "comment", "change_tag", "change_tag_def")


@dataclass(frozen=True, slots=True)
class Size:
    """How large the wiki is."""

    changes: int
    classifications: int

    @property
    def doomed(self) -> int:
        """Rows of each model's old version."""
        return self.classifications // 10

    @property
    def older(self) -> int:
        """A revision older than all in recentchanges, and newer than all that have left it."""
        return self.classifications


def fill(database: Database, size: Size, announce: Announce) -> None:
    """Make all tables in the empty *database*, and fill them."""
    migrate(database, emulated=True)
    for model in MODELS:
        for version in (OLD, CURRENT):
            database.run(partial(make_current, name=model, version=version))
    with database.engine.begin() as connection:
        metadata.create_all(connection)
    with closing(connect(url_of(database))) as filling, filling.cursor() as cursor:
        # The same wiki each time; and random values are drawn once, not again at each use.
        cursor.execute("SET rand_seed1 = 20261121, rand_seed2 = 4, optimizer_switch = 'derived_merge=off'")
        cursor.execute(OTHER_COLUMNS)
        _fill_changes(cursor, size, announce)
        _fill_scores(cursor, size, announce)
        tell = announce("analysing", len(ANALYZED))
        for number, table in enumerate(ANALYZED, 1):
            cursor.execute(f"ANALYZE TABLE {table}")
            tell(number)
        cursor.execute(f"CREATE TABLE {FILLED} (nothing INT)")


def old_versions(database: Database) -> Mapping[str, Any]:
    """The old version of each model, by its name."""
    return {model.name: model for model in database.run(all_models) if not model.is_current}


def _fill_changes(cursor: Cursor, size: Size, announce: Announce) -> None:
    pages = max(size.changes // 4, 1)
    drawn = {"changes": size.changes, "pages": pages, "older": size.older, "seconds": DAYS * 86_400 - 10}
    shares = {"actors": ACTORS, "bots": BOTS, "autopatrolled": AUTOPATROLLED, "patrolled": PATROLLED, "tags": TAGS}
    namespaces = {"namespace_of_page": _namespace("page"), "namespace_of_seq": _namespace("seq"), "tagged": TAGGED}
    for what, statement, rows in (
        ("actors", FILL_ACTORS, ACTORS),
        ("pages", FILL_PAGES, pages),
        ("comments", FILL_COMMENTS, size.changes),
        ("recentchanges", FILL_CHANGES, size.changes),
        ("tags' names", FILL_TAG_NAMES, TAGS),
        ("tags", FILL_TAGS, size.changes),
    ):
        _fill(cursor, statement, rows, announce(f"filling {what}", rows), **drawn, **shares, **namespaces)


def _fill_scores(cursor: Cursor, size: Size, announce: Announce) -> None:
    """Fill the scores, the oldest first, as on a real wiki; the indexes come last, for speed."""
    cursor.execute(COUNT_SCORES)
    [(recent,)] = cursor.fetchall()
    wanted = size.classifications - int(recent or 0)
    older = max((wanted - len(MODELS) * size.doomed) // 2, 0)
    fields = {"score": SCORE, "probability": _probability(), "risk": REVERT_RISK}
    both = f"'{DAMAGING}', '{GOODFAITH}'"
    every = ", ".join(f"'{model}'" for model in MODELS)
    cursor.execute(DROP_INDEXES)
    for what, statement, rows, more in (
        ("scores of old versions", FILL_OLDER_SCORES, size.doomed, {"version": OLD, "models": every}),
        ("scores of older revisions", FILL_OLDER_SCORES, older, {"version": CURRENT, "models": both}),
        ("scores of recent changes", FILL_SCORES, size.changes, {}),
    ):
        _fill(cursor, statement, rows, announce(f"filling {what}", rows), **fields, **more)
    tell = announce("indexing scores", 1)
    cursor.execute(ADD_INDEXES)
    tell(1)


def _fill(cursor: Cursor, statement: str, rows: int, tell: Tell, **fields: object) -> None:
    for first, last in _chunks(rows):
        cursor.execute(statement.format(first=first, last=last, **fields))
        tell(last)


def _chunks(rows: int) -> Iterator[tuple[int, int]]:
    for first in range(1, rows + 1, CHUNK):
        yield first, min(first + CHUNK - 1, rows)


def _namespace(page: str) -> str:
    return f"CASE WHEN {page} % 100 < {ARTICLES} THEN 0 ELSE {page} % 16 END"


def _probability() -> str:
    cases = " ".join(f"WHEN '{model}' THEN {drawn}" for model, drawn in PROBABILITIES.items())
    return f"CASE oresm_name {cases} END"
