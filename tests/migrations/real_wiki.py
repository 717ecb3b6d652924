"""The tables that a real wiki with Extension:ORES has before we come, to the column, with a row in each.

Source: mediawiki/core maintenance/tables.json REL1_39; mediawiki/extensions/ORES sql/tables.json @ e8804727.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from outbox.database import Database, Engines
from tests.migrations.schemas import query, run, schema

TABLES = (
    """
    CREATE TABLE actor (
      actor_id BIGINT UNSIGNED NOT NULL {auto}, actor_user INT UNSIGNED DEFAULT NULL,
      actor_name VARBINARY(255) NOT NULL, PRIMARY KEY (actor_id)
    ) {options}
    """,
    """
    CREATE TABLE page (
      page_id INT UNSIGNED NOT NULL {auto}, page_namespace INT NOT NULL, page_title VARBINARY(255) NOT NULL,
      page_is_redirect TINYINT UNSIGNED NOT NULL DEFAULT 0, page_is_new TINYINT UNSIGNED NOT NULL DEFAULT 0,
      page_random DOUBLE UNSIGNED NOT NULL, page_touched BINARY(14) NOT NULL,
      page_links_updated VARBINARY(14) DEFAULT NULL,
      page_latest INT UNSIGNED NOT NULL, page_len INT UNSIGNED NOT NULL, page_content_model VARBINARY(32) DEFAULT NULL,
      page_lang VARBINARY(35) DEFAULT NULL, PRIMARY KEY (page_id)
    ) {options}
    """,
    """
    CREATE TABLE revision (
      rev_id INT UNSIGNED NOT NULL {auto}, rev_page INT UNSIGNED NOT NULL,
      rev_comment_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
      rev_actor BIGINT UNSIGNED NOT NULL DEFAULT 0, rev_timestamp BINARY(14) NOT NULL,
      rev_minor_edit TINYINT UNSIGNED NOT NULL DEFAULT 0, rev_deleted TINYINT UNSIGNED NOT NULL DEFAULT 0,
      rev_len INT UNSIGNED DEFAULT NULL, rev_parent_id INT UNSIGNED DEFAULT NULL,
      rev_sha1 VARBINARY(32) NOT NULL DEFAULT '', PRIMARY KEY (rev_id)
    ) {options}
    """,
    """
    CREATE TABLE recentchanges (
      rc_id INT UNSIGNED NOT NULL {auto}, rc_timestamp BINARY(14) NOT NULL, rc_actor BIGINT UNSIGNED NOT NULL,
      rc_namespace INT NOT NULL DEFAULT 0, rc_title VARBINARY(255) NOT NULL DEFAULT '',
      rc_comment_id BIGINT UNSIGNED NOT NULL, rc_minor TINYINT UNSIGNED NOT NULL DEFAULT 0,
      rc_bot TINYINT UNSIGNED NOT NULL DEFAULT 0, rc_new TINYINT UNSIGNED NOT NULL DEFAULT 0,
      rc_cur_id INT UNSIGNED NOT NULL DEFAULT 0, rc_this_oldid INT UNSIGNED NOT NULL DEFAULT 0,
      rc_last_oldid INT UNSIGNED NOT NULL DEFAULT 0, rc_type TINYINT UNSIGNED NOT NULL DEFAULT 0,
      rc_source VARBINARY(16) NOT NULL DEFAULT '', rc_patrolled TINYINT UNSIGNED NOT NULL DEFAULT 0,
      rc_ip VARBINARY(40) NOT NULL DEFAULT '', rc_old_len INT DEFAULT NULL, rc_new_len INT DEFAULT NULL,
      rc_deleted TINYINT UNSIGNED NOT NULL DEFAULT 0, rc_logid INT UNSIGNED NOT NULL DEFAULT 0,
      rc_log_type VARBINARY(255) DEFAULT NULL, rc_log_action VARBINARY(255) DEFAULT NULL, rc_params BLOB DEFAULT NULL,
      PRIMARY KEY (rc_id)
    ) {options}
    """,
    """
    CREATE TABLE ores_classification (
      oresc_id BIGINT UNSIGNED NOT NULL {auto}, oresc_rev INT UNSIGNED NOT NULL, oresc_model SMALLINT NOT NULL,
      oresc_class TINYINT NOT NULL, oresc_probability NUMERIC(3, 3) NOT NULL, oresc_is_predicted {flag} NOT NULL,
      PRIMARY KEY (oresc_id)
    ) {options}
    """,
    """
    CREATE TABLE ores_model (
      oresm_id SMALLINT UNSIGNED NOT NULL {auto}, oresm_name VARBINARY(32) NOT NULL,
      oresm_version VARBINARY(32) NOT NULL, oresm_is_current {flag} NOT NULL, PRIMARY KEY (oresm_id)
    ) {options}
    """,
)

INDEXES = (
    "CREATE UNIQUE INDEX actor_user ON actor (actor_user)",
    "CREATE UNIQUE INDEX actor_name ON actor (actor_name)",
    "CREATE UNIQUE INDEX page_name_title ON page (page_namespace, page_title)",
    "CREATE INDEX page_random ON page (page_random)",
    "CREATE INDEX rev_timestamp ON revision (rev_timestamp)",
    "CREATE INDEX rev_page_timestamp ON revision (rev_page, rev_timestamp)",
    "CREATE INDEX rev_actor_timestamp ON revision (rev_actor, rev_timestamp, rev_id)",
    "CREATE INDEX rc_timestamp ON recentchanges (rc_timestamp)",
    "CREATE INDEX rc_namespace_title_timestamp ON recentchanges (rc_namespace, rc_title, rc_timestamp)",
    "CREATE INDEX rc_cur_id ON recentchanges (rc_cur_id)",
    "CREATE INDEX rc_new_name_timestamp ON recentchanges (rc_new, rc_namespace, rc_timestamp)",
    "CREATE INDEX rc_ip ON recentchanges (rc_ip)",
    "CREATE INDEX rc_ns_actor ON recentchanges (rc_namespace, rc_actor)",
    "CREATE INDEX rc_actor ON recentchanges (rc_actor, rc_timestamp)",
    """
    CREATE INDEX rc_name_type_patrolled_timestamp
    ON recentchanges (rc_namespace, rc_type, rc_patrolled, rc_timestamp)
    """,
    "CREATE INDEX rc_this_oldid ON recentchanges (rc_this_oldid)",
    "CREATE UNIQUE INDEX oresc_rev_model_class ON ores_classification (oresc_rev, oresc_model, oresc_class)",
    "CREATE INDEX oresc_model_class_prob ON ores_classification (oresc_model, oresc_class, oresc_probability)",
    "CREATE INDEX oresm_model_status ON ores_model (oresm_name, oresm_is_current)",
    "CREATE UNIQUE INDEX oresm_version ON ores_model (oresm_name, oresm_version)",
)

ROWS = (
    "INSERT INTO actor VALUES (7, 70, 'Zoé')",
    """
    INSERT INTO page VALUES (5, 0, 'Café_Noir', 0, 0, 0.5, '20221201120000', NULL, 745065890, 90, 'wikitext', NULL)
    """,
    "INSERT INTO revision VALUES (745065000, 5, 70, 7, '20221101120000', 0, 0, 100, 0, '')",
    "INSERT INTO revision VALUES (745065890, 5, 77, 7, '20221201120000', 0, 0, 90, 745065000, '')",
    """
    INSERT INTO recentchanges VALUES (1, '20221201120000', 7, 0, 'Café_Noir', 77, 0, 0, 0, 5, 745065890, 745065000,
      0, 'mw.edit', 0, '192.0.2.1', 100, 90, 0, 0, NULL, '', '')
    """,
    "INSERT INTO ores_classification VALUES (1, 745065890, 3, 1, 0.876, 0)",
    "INSERT INTO ores_model VALUES (3, 'damaging', '0.5.1', 1)",
)

#: A column that counts by itself, and the key it is: SQLite, and so MediaWiki on it, says both in one.
COUNTS = "AUTOINCREMENT"
COUNTED, KEY = re.compile(rf"\w+( UNSIGNED)? NOT NULL {COUNTS}"), re.compile(r",\s+PRIMARY KEY \(\w+\)")

#: SQLite would make numbers of a text of digits in a column that is declared like this, and MediaWiki has none there.
BYTES = re.compile(r"(VAR)?BINARY\(\d+\)")

CORE = {"actor", "page", "revision", "recentchanges"}
THEIRS = CORE | {"ores_classification", "ores_model"}


@contextmanager
def real_wiki_at(url: str) -> Iterator[Database]:
    """A real wiki, enwiki, in the empty database at *url*; what is opened is closed in the end."""
    engines = Engines()
    database = engines.open("enwiki", url)
    make_real_wiki(database)
    try:
        yield database
    finally:
        engines.close()


def make_real_wiki(database: Database) -> None:
    """Make *database*, which is empty, that of a real wiki; on MariaDB with its character set `binary`."""
    is_mariadb = database.url.get_backend_name() != "sqlite"
    words = {"auto": COUNTS, "flag": "SMALLINT", "options": ""}
    if is_mariadb:
        words = {"auto": "AUTO_INCREMENT", "flag": "TINYINT(1)", "options": "ENGINE=InnoDB DEFAULT CHARSET=binary"}
        run(database, f"ALTER DATABASE `{database.url.database}` CHARACTER SET binary")
    made = [table.format(**words) for table in TABLES]
    if not is_mariadb:
        made = [COUNTED.sub("INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", KEY.sub("", table)) for table in made]
        made = [BYTES.sub("BLOB", table) for table in made]
    run(database, *made, *INDEXES, *ROWS)


def their_schema(database: Database) -> dict[str, Any]:
    return {name: described for name, described in schema(database).items() if name in THEIRS}


def their_rows(database: Database, names: Collection[str] = THEIRS) -> list[dict[str, Any]]:
    return [dict(row) for table in sorted(names) for row in query(database, f"SELECT * FROM {table}")]
