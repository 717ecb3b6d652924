"""An edit's own transaction as MediaWiki sends it, statement by statement and in order.

It is the main transaction of a web request in which a registered user saves an existing page of wikitext, with the
default settings. The first statement to the primary database begins it (`Database::beginIfImplied`), and
`MediaWiki::preOutputCommit` commits it. Only what every such edit sends is here, in 1.39 and in the master of 2025
alike, so it is shorter than any real one. Left out is, in time before the hook: what caches often answer (the user's
blocks, the actor, the present revision with its slots and text, the numbers of roles and models), all reads that may go
to a replica, parsing, and a row in `revision_comment_temp` that only 1.39 writes. Links, recentchanges with its tags,
the user's count of edits, the watchlist and jobs come after this transaction, and so does the hook `PageSaveComplete`.

Source: mediawiki/core REL1_39 (1.39.1), for each statement the function named above it; compared with the master's
includes/Revision/RevisionStore.php @ 01fb18c1 and includes/CommentStore/CommentStoreBase.php @ b33acee5.
"""

import hashlib
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from outbox.mediawiki.schema import mediawiki_timestamp

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
#: About 3 KB.
WIKITEXT = "'''Outpatrol''' looks at [[edit]]s, and the [[patroller]] looks at Outpatrol.<ref>Page 7.</ref>\n\n" * 32

# includes/EditPage.php internalAttemptSave and includes/Storage/DerivedPageDataUpdater.php grabCurrentRevision read the
# page with READ_LATEST; includes/page/WikiPage.php updateRevisionOn reads it again.
PAGE = """
SELECT page_id,page_namespace,page_title,page_is_redirect,page_is_new,page_random,page_touched,page_links_updated,
page_latest,page_len,page_content_model FROM page WHERE """
PAGE_OF_TITLE = f"{PAGE}page_namespace = 0 AND page_title = %s LIMIT 1"
PAGE_OF_ID = f"{PAGE}page_id = %s LIMIT 1"
# includes/page/WikiPage.php lockAndGetLatest, called by includes/Storage/PageUpdater.php doModify
LATEST = """
SELECT page_latest FROM page WHERE page_id = %s AND page_namespace = 0 AND page_title = %s LIMIT 1 FOR UPDATE
"""
# includes/CommentStore.php createComment
SAME_COMMENT = """
SELECT comment_id FROM comment WHERE comment_hash = %s AND comment_text = %s AND comment_data IS NULL LIMIT 1
"""
ADD_COMMENT = "INSERT INTO comment (comment_hash,comment_text,comment_data) VALUES (%s,%s,NULL)"
# includes/Revision/RevisionStore.php insertRevisionRowOn, which on MariaDB looks whether the number was in use before
ADD_REVISION = """
INSERT INTO revision (rev_page,rev_parent_id,rev_actor,rev_minor_edit,rev_timestamp,rev_deleted,rev_len,rev_sha1,
rev_comment_id) VALUES (%s,%s,1,0,%s,0,%s,%s,%s)
"""
LAST_DELETED = "SELECT MAX(ar_rev_id) FROM archive LIMIT 1"
LAST_SLOT = "SELECT MAX(slot_revision_id) FROM slots LIMIT 1"
# includes/Storage/SqlBlobStore.php storeBlob; includes/Revision/RevisionStore.php insertContentRowOn, insertSlotRowOn
ADD_TEXT = "INSERT INTO text (old_text,old_flags) VALUES (%s,'utf-8')"
ADD_CONTENT = "INSERT INTO content (content_size,content_sha1,content_model,content_address) VALUES (%s,%s,1,%s)"
ADD_SLOT = "INSERT INTO slots (slot_revision_id,slot_role_id,slot_content_id,slot_origin) VALUES (%s,1,%s,%s)"
# includes/page/WikiPage.php updateRevisionOn
UPDATE_PAGE = """
UPDATE page SET page_latest = %s,page_touched = %s,page_is_new = 0,page_is_redirect = 0,page_len = %s,
page_content_model = 'wikitext' WHERE page_id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An edit of the page of that number; all that is not SQL was worked out before."""

    page: int
    title: str
    summary: str
    summary_hash: int
    text: str
    sha1: str
    timestamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of one transaction."""

    #: From BEGIN to the hook.
    writing: float
    #: Of that the INSERT into `revision`.
    revision: float
    hook: float
    commit: float

    @property
    def all(self) -> float:
        return self.writing + self.hook + self.commit


#: Called with the connection, with what was submitted, and with the numbers of the new revision and of its parent.
Hook = Callable[[Connection, Submitted, int, int], None]


def submitted(page: int) -> Submitted:
    summary, text = f"/* History */ as told on the talk page, section {page}", f"{page} {WIKITEXT}"
    return Submitted(
        page=page,
        title=f"Page_{page}",
        summary=summary,
        summary_hash=zlib.crc32(summary.encode()) - 2**31,
        text=text,
        sha1=hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:31],
        timestamp=mediawiki_timestamp(NOW),
    )


def save_edit(connection: Connection, edit: Submitted, hook: Hook) -> Spent:
    """Save *edit* in a transaction of its own; *hook* is called inside, where `RevisionFromEditComplete` is.

    All goes through SQLAlchemy, as with anybody who calls `outbox.record`, but in the words of the driver: nothing is
    compiled, and no object is mapped. If *hook* fails, nothing is left.
    """
    with connection.begin():
        began = time.perf_counter()
        revision, parent, inserting = _write(connection, edit)
        written = time.perf_counter()
        hook(connection, edit, revision, parent)
        called = time.perf_counter()
    ended = time.perf_counter()
    return Spent(writing=written - began, revision=inserting, hook=called - written, commit=ended - called)


def _write(connection: Connection, edit: Submitted) -> tuple[int, int, float]:
    """All from BEGIN to the hook; the numbers of the new revision and of its parent, and the seconds of its INSERT."""
    send, length = connection.exec_driver_sql, len(edit.text)
    # The driver needs none, since it never commits by itself; MediaWiki sends it.
    send("BEGIN")
    page = send(PAGE_OF_TITLE, (edit.title,)).one()[0]
    (parent,) = send(LATEST, (page, edit.title)).one()
    send(SAME_COMMENT, (edit.summary_hash, edit.summary)).all()
    comment = send(ADD_COMMENT, (edit.summary_hash, edit.summary)).lastrowid
    before = time.perf_counter()
    revision = send(ADD_REVISION, (page, parent, edit.timestamp, length, edit.sha1, comment)).lastrowid
    inserting = time.perf_counter() - before
    send(LAST_DELETED).one()
    send(LAST_SLOT).one()
    text = send(ADD_TEXT, (edit.text,)).lastrowid
    content = send(ADD_CONTENT, (length, edit.sha1, f"tt:{text}")).lastrowid
    send(ADD_SLOT, (revision, content, revision))
    send(UPDATE_PAGE, (revision, edit.timestamp, length, page))
    send(PAGE_OF_ID, (page,)).one()
    return revision, parent, inserting
