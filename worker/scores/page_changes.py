"""How scores answer page changes: the rows of a deleted page go, and so do names that a suppression hides.

Undeletes, moves and protections need nothing here; they are promised for other consumers.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from outbox import Claim, Dead, Delivered, Lane, Outcome, RetryLater, settle
from outbox.errors import UndecodableMessage
from outbox.hiding import Hidden, hide_in, rewritten
from outbox.mediawiki.reading import has_page, has_recent_changes, revisions_of_page
from outbox.page_changes import HAS_KIND, PageChange, PageChangeKind
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.events.hiding import hide_in_event
from worker.events.kinds import EVENT_LANES
from worker.lanes.consumer import claimed_too_often
from worker.scores.outcomes import of_another_wiki
from worker.scores.removal import purge_of_revisions

#: Revisions whose rows one statement removes.
REVISIONS = 1000
#: The wait for those who have claimed what is to be hidden, until their work or their lease ends.
CLAIMED_SECONDS = timedelta(seconds=5)


def answer_changes(
    wiki: Wiki, lane: Lane, edit_lanes: Sequence[Lane], claims: Sequence[Claim], max_attempts: int
) -> list[Claim]:
    """Settle those of *claims* that are page changes, each in a transaction of its own; returns the others.

    Neither the others, nor *edit_lanes*, nor the lanes of events hold any longer what one of the changes hides.
    """
    changes = [claim for claim in claims if HAS_KIND.search(claim.payload)]
    if not changes:
        return list(claims)
    edits = [claim for claim in claims if claim not in set(changes)]
    for claim in changes:
        change = _read(claim, max_attempts, wiki.id)
        if not isinstance(change, PageChange):
            wiki.database.run(partial(settle, lane=lane, outcomes={claim: change}))
            continue
        hidden = hidden_by(change)
        wiki.database.run(partial(_answer, claim=claim, change=change, hidden=hidden, lane=lane, edit_lanes=edit_lanes))
        if hidden is not None:
            edits = [replace(each, payload=rewritten(each.payload, hidden.in_edit) or each.payload) for each in edits]
    log.info("page_changes_answered", wiki=wiki.id, changes=len(changes))
    return edits


def _read(claim: Claim, max_attempts: int, wiki: str) -> PageChange | RetryLater | Dead:
    if claim.attempt > max_attempts:
        return claimed_too_often(claim)
    try:
        change = PageChange.decode(claim.payload)
    except UndecodableMessage as error:
        return Dead("undecodable", str(error))
    return change if change.wiki == wiki else of_another_wiki(claim, change.wiki, wiki, max_attempts)


def hidden_by(change: PageChange) -> Hidden | None:
    """What *change* hides; if the page was deleted and suppressed at once, parts of all its revisions."""
    if not change.hides:
        return None
    if change.kind is PageChangeKind.DELETE:
        return Hidden(revision=change.revision, page=change.page, switches=change.hides)
    return Hidden(revision=change.revision, switches=change.hides)


def _answer(
    connection: Connection,
    claim: Claim,
    change: PageChange,
    hidden: Hidden | None,
    lane: Lane,
    edit_lanes: Sequence[Lane],
) -> None:
    """One transaction, fenced as any settlement: the message goes, and so do rows or names."""
    claimed = 0 if hidden is None else _hide(connection, hidden, edit_lanes, claim.token)
    outcome: Outcome = Delivered()
    if claimed:
        reason = f"{claimed} messages with what is to be hidden are being worked on"
        outcome = RetryLater(CLAIMED_SECONDS, reason, burns_attempt=False)
    if claim in settle(connection, lane, {claim: outcome}) and change.kind is PageChangeKind.DELETE:
        _remove_rows(connection, change)


def _hide(connection: Connection, hidden: Hidden, edit_lanes: Sequence[Lane], token: str) -> int:
    claimed = sum(hide_in(connection, lane, hidden.numbers, hidden.in_edit, ours=token) for lane in edit_lanes)
    in_event = partial(hide_in_event, hidden=hidden)
    return claimed + sum(hide_in(connection, lane, hidden.numbers, in_event) for lane in EVENT_LANES.values())


def _remove_rows(connection: Connection, change: PageChange) -> None:
    """Remove the rows of the page's revisions, unless the page exists again: then its deletion was told late."""
    revisions = {change.revision} if change.revision is not None else set()
    if has_recent_changes(connection):
        if has_page(connection, change.page):
            return
        revisions |= revisions_of_page(connection, change.page, change.namespace, change.title)
    ordered = sorted(revisions)
    for start in range(0, len(ordered), REVISIONS):
        purge_of_revisions(connection, ordered[start : start + REVISIONS], kept_forever=())
