"""Keeping edits that come from elsewhere: many in one transaction, or each in its own if one of them fails.

On an emulated wiki they are saved. A wiki that exists has them, or has its own reasons: there they are promised only.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outbox.database import Database
from outbox.edits import Edit
from outbox.mediawiki.reading import has_revision
from outbox.mediawiki.saving import free_title, is_emulated, save_edit
from outbox.recording import record
from worker.config.telemetry import log
from worker.incoming.positions import remember

#: Another process may save the same user, page or edit at this moment; at the next try it is there.
TRIES = 4
Fate = Literal["saved", "promised", "saved before", "contradicting"]


def save_heard(database: Database, edits: Sequence[Edit], source: str, event_id: str | None) -> Counter[Fate]:
    """Keep *edits*, and the position *event_id* in *source*, in one transaction.

    On an emulated wiki only those that it lacks.
    """
    try:
        return database.run(partial(_keep_all, edits=edits, source=source, event_id=event_id))
    except IntegrityError:
        fates = Counter(save_alone(database, edit) for edit in edits)
        database.run(partial(_keep_all, edits=(), source=source, event_id=event_id))
        return fates


def keep(session: Session, edit: Edit) -> Fate:
    """Save *edit* where the wiki is an emulated one, and only promise it elsewhere. Does not commit.

    Raises:
        sqlalchemy.exc.IntegrityError: as `save_edit`; `save_alone` knows what to do then.
    """
    if not is_emulated(session):
        record(session, edit)
        return "promised"
    save_edit(session, edit)
    return "saved"


def save_alone(database: Database, edit: Edit) -> Fate:
    """Keep *edit* in a transaction of its own, even where another page has its title."""
    reason = None
    for _ in range(TRIES):
        try:
            return database.run(partial(_keep_one, edit=edit))
        except IntegrityError as error:
            reason = error.orig
    log.warning("edit_not_saved", wiki=edit.wiki, revision=edit.revision, error=str(reason))
    return "contradicting"


def _keep_all(session: Session, edits: Sequence[Edit], source: str, event_id: str | None) -> Counter[Fate]:
    fates = Counter[Fate]()
    emulated = is_emulated(session)
    for edit in edits:
        is_there = emulated and has_revision(session, edit.revision)
        fates["saved before" if is_there else keep(session, edit)] += 1
    if event_id is not None:
        remember(session, source, event_id)
    return fates


def _keep_one(session: Session, edit: Edit) -> Fate:
    if is_emulated(session):
        if has_revision(session, edit.revision):
            return "saved before"
        free_title(session, edit)
    return keep(session, edit)
