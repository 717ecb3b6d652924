"""Removing from messages what a wiki hides later: suppressed users, comments and texts.

A claimed message is rewritten, too; but what its holder writes meanwhile has to be looked at once more.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Table, and_, false, or_, select, update
from sqlalchemy.orm import Session

from outbox.columns import BY_KEY, database_now
from outbox.edits import OF_THE_USER, Edit
from outbox.tables import Lane

#: Takes a payload as JSON and returns it without what is hidden; None if the payload is about something else.
Hide = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What a wiki hides from now on: parts of one revision, or of every revision of a page."""

    revision: int | None = None
    page: int | None = None
    #: Fields of a revision's visibility that are off now, such as `is_editor_visible`.
    switches: frozenset[str]

    @property
    def numbers(self) -> frozenset[int]:
        return frozenset(number for number in (self.revision, self.page) if number is not None)

    def is_about(self, *, revision: object, page: object) -> bool:
        return (self.revision is not None and revision == self.revision) or (
            self.page is not None and page == self.page
        )

    def in_edit(self, edit: dict[str, Any]) -> dict[str, Any] | None:
        """The payload of an edit, as JSON, without what is hidden; None if it is about another revision and page.

        What is hidden may also be in the revision before the edit, which is in the edit's details. Pure.
        """
        if "kind" in edit:
            # A page change, which names no user.
            return None
        details = edit.get("details")
        details = details if isinstance(details, dict) else {}
        prior = details.get("prior_revision")
        page = edit.get("page")
        prior = prior if isinstance(prior, dict) else {}
        of_prior = bool(prior) and self.is_about(revision=prior.get("revision"), page=page)
        of_edit = self.is_about(revision=edit.get("revision"), page=page)
        if not (of_prior or of_edit):
            return None
        off = dict.fromkeys(self.switches, False)
        details = details | ({"prior_revision": prior | off} if of_prior else {}) | (off if of_edit else {})
        try:
            return Edit.model_validate(edit | {"details": details}).model_dump(mode="json", exclude_none=True)
        except ValidationError:
            # From an older version, or broken: all fields that may say who it was are removed.
            return {name: value for name, value in edit.items() if name not in OF_THE_USER | {"details"}}


def hide_in(
    session: Session | Connection, lane: Lane, numbers: Collection[int], hide: Hide, *, ours: str | None = None
) -> int:
    """Rewrite with *hide* the payloads of *lane* that hold one of *numbers*; returns how many others have claimed.

    Those are rewritten, too. But whoever claimed one with a token other than *ours* may still announce what it held:
    call this again once that claim has ended. Reads the whole lane with its dead letters, since suppressions are rare.
    Does not commit.
    """
    messages = lane.messages
    is_claimed = and_(messages.c.leased_until >= database_now(), messages.c.lease_token != (ours or ""))
    claimed = _hide(session, messages, numbers, hide, is_claimed)
    for table in (lane.waiting, lane.dead_letters):
        _hide(session, table, numbers, hide, false())
    return claimed


def _hide(
    session: Session | Connection, table: Table, numbers: Collection[int], hide: Hide, is_claimed: ColumnElement[bool]
) -> int:
    holds = or_(*(table.c.payload.like(f"%{number}%") for number in sorted(numbers)))
    claimed = 0
    for row in session.execute(select(table.c.id, table.c.payload, is_claimed.label("is_claimed")).where(holds)).all():
        hidden = rewritten(row.payload, hide)
        if hidden is None:
            continue
        claimed += bool(row.is_claimed)
        if hidden != row.payload:
            change = update(table).where(table.c.id == row.id).values(payload=hidden)
            session.execute(change, execution_options=BY_KEY)
    return claimed


def rewritten(payload: str, hide: Hide) -> str | None:
    """What *hide* makes of *payload*; None if it is not about what is hidden. Pure."""
    try:
        document = json.loads(payload)
    except ValueError:
        return None
    hidden = hide(document) if isinstance(document, dict) else None
    # Stays ASCII if it was: only escapes can hold half of a character, which JSON from elsewhere may contain.
    return None if hidden is None else json.dumps(hidden, ensure_ascii=payload.isascii(), separators=(",", ":"))
