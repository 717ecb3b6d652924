"""Keeping edits that come from elsewhere: many in one transaction, or each in its own if they can't be kept together.

On an emulated wiki they are saved. On another wiki, whose tables we never write, they are only promised.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from outbox import EDITS
from outbox.database import Database
from outbox.dead_letters import add_dead_letter
from outbox.edits import Edit
from outbox.mediawiki.reading import has_revision
from outbox.mediawiki.saving import free_title, is_emulated, save_edit, save_page_change
from outbox.page_changes import PageChange, Promised
from outbox.recording import record
from outbox.server_errors import Kind, server_text, trouble_of
from worker.config.telemetry import log
from worker.incoming.positions import remember

#: Tries: another process may be saving the same user, page or edit, which is there at the next try.
TRIES = 4
#: The reason of a dead letter with an edit that the database did not take.
NOT_SAVED = "not_saved"
#: Page changes that are no edits are counted separately.
Fate = Literal["saved", "promised", "page changes", "saved before", "contradicting", "kept aside"]


def save_heard(
    database: Database, edits: Sequence[Promised], source: str, event_id: str | None
) -> Counter[Fate] | None:
    """Keep *edits*, and the position *event_id* in *source*, in one transaction.

    An emulated wiki gets only those it lacks. Returns None, with nothing kept, if one of them is at fault: then call
    `save_alone` for each edit, and `save_heard` without edits for the position.
    """
    try:
        return database.run(partial(_keep_all, edits=edits, source=source, event_id=event_id))
    except DBAPIError as error:
        if edits and is_of_an_edit(error):
            return None
        raise


def save_or_promise(connection: Connection, edit: Promised) -> Fate:
    """Save *edit* if the wiki is emulated, otherwise only promise it. Does not commit.

    Raises:
        sqlalchemy.exc.IntegrityError: as `save_edit`; `save_alone` handles it.
    """
    emulated = is_emulated(connection)
    if isinstance(edit, PageChange):
        save_page_change(connection, edit) if emulated else record(connection, edit)
        return "page changes"
    if not emulated:
        record(connection, edit)
        return "promised"
    save_edit(connection, edit)
    return "saved"


def is_of_an_edit(error: DBAPIError) -> bool:
    """Whether *error* may be the fault of the edits, and not of the database or its other users."""
    return isinstance(error, IntegrityError) or trouble_of(error).kind in {Kind.VALUE, Kind.UNKNOWN}


def save_alone(database: Database, edit: Promised) -> Fate:
    """Keep *edit* in a transaction of its own, even where another page has its title.

    One that can't be saved is logged and becomes a dead letter: it can be listed, requeued (then it is scored and
    announced, but is in no table of the wiki) and discarded.

    Raises:
        sqlalchemy.exc.DBAPIError, OutboxError: it is not the edit's fault: no other edit would be taken either.
    """
    for left in reversed(range(TRIES)):
        try:
            return database.run(partial(_keep_one, edit=edit))
        except DBAPIError as error:
            if left > 1 and is_of_an_edit(error):
                continue
            if not (is_of_an_edit(error) and _takes_others(database, edit)):
                raise
            if left:
                # Others may be taken because the trouble is over just now; then this one is, too.
                continue
            reason, is_contradicting = server_text(error), isinstance(error, IntegrityError)
            break
    database.run(partial(add_dead_letter, lane=EDITS, payload=edit.encode(), reason=NOT_SAVED, error=reason))
    log.warning("edit_not_saved", wiki=edit.wiki, revision=edit.revision, error=reason)
    return "contradicting" if is_contradicting else "kept aside"


def _takes_others(database: Database, edit: Promised) -> bool:
    """Whether the database would take another, ordinary edit now; that edit is not kept."""
    other = Edit(wiki=edit.wiki, revision=edit.revision or 1, namespace=0, title="Main Page", timestamp=edit.timestamp)
    try:
        with database.transaction() as connection:
            save_or_promise(connection, other)
            connection.rollback()
    except IntegrityError:
        # It contradicts what is there, so the tables can be written to.
        return True
    except DBAPIError:
        return False
    return True


def _keep_all(connection: Connection, edits: Sequence[Promised], source: str, event_id: str | None) -> Counter[Fate]:
    fates = Counter[Fate]()
    for edit in edits:
        fates["saved before" if _is_there(connection, edit) else save_or_promise(connection, edit)] += 1
    if event_id is not None:
        remember(connection, source, event_id)
    return fates


def _keep_one(connection: Connection, edit: Promised) -> Fate:
    if _is_there(connection, edit):
        return "saved before"
    if is_emulated(connection):
        free_title(connection, edit)
    return save_or_promise(connection, edit)


def _is_there(connection: Connection, edit: Promised) -> bool:
    """Whether an emulated wiki has that edit; another change of a page is done again, which makes no difference."""
    return isinstance(edit, Edit) and is_emulated(connection) and has_revision(connection, edit.revision)
