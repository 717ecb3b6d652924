"""A MediaWiki's tables that an edit's own transaction reads and writes, to the column and the index, with rows in them.

Indexes are most of what an INSERT costs. Ids have 64 bits where they have on the master.
Source: mediawiki/core maintenance/tables.json REL1_39; sql/mysql/tables-generated.sql @ ddcfcf2b.
"""

from contextlib import closing

from benchmarks.servers import connect, url_of
from outbox.database import Database

USER = "Alice"

TABLES = {
    "actor": """
      actor_id BIGINT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, actor_user INT UNSIGNED,
      actor_name VARBINARY(255) NOT NULL, UNIQUE (actor_user), UNIQUE (actor_name)
    """,
    "page": """
      page_id INT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, page_namespace INT NOT NULL,
      page_title VARBINARY(255) NOT NULL, page_is_redirect TINYINT UNSIGNED NOT NULL DEFAULT 0,
      page_is_new TINYINT UNSIGNED NOT NULL DEFAULT 0, page_random DOUBLE UNSIGNED NOT NULL,
      page_touched BINARY(14) NOT NULL, page_links_updated BINARY(14), page_latest INT UNSIGNED NOT NULL,
      page_len INT UNSIGNED NOT NULL, page_content_model VARBINARY(32), page_lang VARBINARY(35),
      UNIQUE page_name_title (page_namespace, page_title), INDEX page_random (page_random), INDEX page_len (page_len),
      INDEX page_redirect_namespace_len (page_is_redirect, page_namespace, page_len)
    """,
    "comment": """
      comment_id BIGINT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, comment_hash INT NOT NULL,
      comment_text BLOB NOT NULL, comment_data BLOB, INDEX comment_hash (comment_hash)
    """,
    "revision": """
      rev_id BIGINT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, rev_page INT UNSIGNED NOT NULL,
      rev_comment_id BIGINT UNSIGNED NOT NULL, rev_actor BIGINT UNSIGNED NOT NULL, rev_timestamp BINARY(14) NOT NULL,
      rev_minor_edit TINYINT UNSIGNED NOT NULL DEFAULT 0, rev_deleted TINYINT UNSIGNED NOT NULL DEFAULT 0,
      rev_len INT UNSIGNED, rev_parent_id BIGINT UNSIGNED, rev_sha1 VARBINARY(32) NOT NULL DEFAULT '',
      INDEX rev_timestamp (rev_timestamp), INDEX rev_page_timestamp (rev_page, rev_timestamp),
      INDEX rev_actor_timestamp (rev_actor, rev_timestamp, rev_id),
      INDEX rev_page_actor_timestamp (rev_page, rev_actor, rev_timestamp)
    """,
    "archive": """
      ar_id INT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, ar_namespace INT NOT NULL DEFAULT 0,
      ar_title VARBINARY(255) NOT NULL DEFAULT '', ar_comment_id BIGINT UNSIGNED NOT NULL,
      ar_actor BIGINT UNSIGNED NOT NULL, ar_timestamp BINARY(14) NOT NULL, ar_minor_edit TINYINT NOT NULL DEFAULT 0,
      ar_rev_id BIGINT UNSIGNED NOT NULL, ar_deleted TINYINT UNSIGNED NOT NULL DEFAULT 0, ar_len INT UNSIGNED,
      ar_page_id INT UNSIGNED, ar_parent_id BIGINT UNSIGNED, ar_sha1 VARBINARY(32) NOT NULL DEFAULT '',
      INDEX ar_name_title_timestamp (ar_namespace, ar_title, ar_timestamp),
      INDEX ar_actor_timestamp (ar_actor, ar_timestamp), UNIQUE ar_revid_uniq (ar_rev_id)
    """,
    "text": """
      old_id INT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, old_text MEDIUMBLOB NOT NULL, old_flags TINYBLOB NOT NULL
    """,
    "content": """
      content_id BIGINT UNSIGNED AUTO_INCREMENT NOT NULL PRIMARY KEY, content_size INT UNSIGNED NOT NULL,
      content_sha1 VARBINARY(32) NOT NULL, content_model SMALLINT UNSIGNED NOT NULL,
      content_address VARBINARY(255) NOT NULL
    """,
    "slots": """
      slot_revision_id BIGINT UNSIGNED NOT NULL, slot_role_id SMALLINT UNSIGNED NOT NULL,
      slot_content_id BIGINT UNSIGNED NOT NULL, slot_origin BIGINT UNSIGNED NOT NULL,
      PRIMARY KEY (slot_revision_id, slot_role_id),
      INDEX slot_revision_origin_role (slot_revision_id, slot_origin, slot_role_id)
    """,
}
#: Each edit that is saved leaves a row in these.
WRITTEN = ("comment", "revision", "text", "content", "slots")

#: As many deleted revisions as pages, and then one revision of each page.
FILL = (
    f"INSERT INTO actor (actor_user, actor_name) VALUES (1, '{USER}')",
    """
    INSERT INTO archive (ar_comment_id, ar_actor, ar_timestamp, ar_rev_id, ar_title)
    SELECT 1, 1, '20261101000000', seq, CONCAT('Gone_', seq) FROM seq_1_to_{pages}
    """,
    """
    INSERT INTO page (page_title, page_namespace, page_random, page_touched, page_latest, page_len, page_content_model)
    SELECT CONCAT('Page_', seq), 0, RAND(7), '20261101000000', {pages} + seq, 3000, 'wikitext' FROM seq_1_to_{pages}
    """,
    """
    INSERT INTO comment (comment_hash, comment_text)
    SELECT CAST(CRC32(seq) AS SIGNED) - 2147483648, CONCAT('of before: ', seq) FROM seq_1_to_{pages}
    """,
    """
    INSERT INTO revision (rev_id, rev_page, rev_comment_id, rev_actor, rev_timestamp, rev_len, rev_parent_id, rev_sha1)
    SELECT {pages} + seq, seq, seq, 1, '20261101000000', 3000, 0, LEFT(SHA1(seq), 31) FROM seq_1_to_{pages}
    """,
    "INSERT INTO text (old_text, old_flags) SELECT REPEAT(CHAR(32 + seq % 64), 3000), 'utf-8' FROM seq_1_to_{pages}",
    """
    INSERT INTO content (content_size, content_sha1, content_model, content_address)
    SELECT 3000, LEFT(SHA1(seq), 31), 1, CONCAT('tt:', seq) FROM seq_1_to_{pages}
    """,
    """
    INSERT INTO slots (slot_revision_id, slot_role_id, slot_content_id, slot_origin)
    SELECT {pages} + seq, 1, seq, {pages} + seq FROM seq_1_to_{pages}
    """,
)


def make_wiki(database: Database, pages: int) -> None:
    """Make MediaWiki's tables in *database*, which has none of these, with so many pages: `Page_1` and so on."""
    with closing(connect(url_of(database))) as connection, connection.cursor() as cursor:
        for table, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE {table} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=binary")
        for statement in FILL:
            cursor.execute(statement.format(pages=pages))
