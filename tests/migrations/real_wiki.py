"""The tables that a real wiki with Extension:ORES has before we come, to the column, with a row in each.

Source: mediawiki/core maintenance/tables.json REL1_39; mediawiki/extensions/ORES sql/tables.json @ e8804727.
"""

from typing import Any

from outbox.database import Database
from tests.migrations.schemas import query, run, schema

TABLES = (
    """
    CREATE TABLE actor (
      actor_id BIGINT UNSIGNED NOT NULL {auto}, actor_user INT UNSIGNED DEFAULT NULL,
      actor_name VARBINARY(255) NOT NULL, PRIMARY KEY (actor_id)
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
    INSERT INTO recentchanges VALUES (1, '20221201120000', 7, 0, 'Café_Noir', 77, 0, 0, 0, 5, 745065890, 745065000,
      0, 'mw.edit', 0, '192.0.2.1', 100, 90, 0, 0, NULL, '', '')
    """,
    "INSERT INTO ores_classification VALUES (1, 745065890, 3, 1, 0.876, 0)",
    "INSERT INTO ores_model VALUES (3, 'damaging', '0.5.1', 1)",
)

THEIRS = {"actor", "recentchanges", "ores_classification", "ores_model"}


def make_real_wiki(database: Database) -> None:
    """Make *database*, which is empty, that of a real wiki; on MariaDB with its character set `binary`."""
    is_mariadb = database.url.get_backend_name() != "sqlite"
    words = {"auto": "", "flag": "SMALLINT", "options": ""}
    if is_mariadb:
        words = {"auto": "AUTO_INCREMENT", "flag": "TINYINT(1)", "options": "ENGINE=InnoDB DEFAULT CHARSET=binary"}
        run(database, f"ALTER DATABASE `{database.url.database}` CHARACTER SET binary")
    run(database, *(table.format(**words) for table in TABLES), *INDEXES, *ROWS)


def their_schema(database: Database) -> dict[str, Any]:
    return {name: described for name, described in schema(database).items() if name in THEIRS}


def their_rows(database: Database) -> list[dict[str, Any]]:
    return [dict(row) for table in sorted(THEIRS) for row in query(database, f"SELECT * FROM {table}")]
