"""Saving edits that come from elsewhere: many in one transaction, or each in its own if one of them fails."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outbox.database import Database
from outbox.edits import Edit
from outbox.mediawiki import database_key, has_revision, page, save_edit
from worker.config.telemetry import log
from worker.incoming.positions import remember

#: Another process may save the same user, page or edit at this moment; at the next try it is there.
TRIES = 4
Fate = Literal["saved", "saved before", "contradicting"]


def save_heard(database: Database, edits: Sequence[Edit], source: str, event_id: str | None) -> Counter[Fate]:
    """Save the *edits* that the wiki lacks, and the position *event_id* in *source*, in one transaction."""
    try:
        return database.run(partial(_save_all, edits=edits, source=source, event_id=event_id))
    except IntegrityError:
        fates = Counter(save_alone(database, edit) for edit in edits)
        database.run(partial(_save_all, edits=(), source=source, event_id=event_id))
        return fates


def save_alone(database: Database, edit: Edit) -> Fate:
    """Save *edit* in a transaction of its own, even where another page has its title."""
    reason = None
    for _ in range(TRIES):
        try:
            return database.run(partial(_save_one, edit=edit))
        except IntegrityError as error:
            reason = error.orig
    log.warning("edit_not_saved", wiki=edit.wiki, revision=edit.revision, error=str(reason))
    return "contradicting"


def _save_all(session: Session, edits: Sequence[Edit], source: str, event_id: str | None) -> Counter[Fate]:
    fates = Counter[Fate]()
    for edit in edits:
        if has_revision(session, edit.revision):
            fates["saved before"] += 1
        else:
            save_edit(session, edit)
            fates["saved"] += 1
    if event_id is not None:
        remember(session, source, event_id)
    return fates


def _save_one(session: Session, edit: Edit) -> Fate:
    if has_revision(session, edit.revision):
        return "saved before"
    # Streams of edits do not report moves and deletions: the page that had this title has another now, or is gone.
    same_title = (page.c.page_namespace == edit.namespace) & (page.c.page_title == database_key(edit))
    session.execute(delete(page).where(same_title, page.c.page_id != edit.page))
    save_edit(session, edit)
    return "saved"
