"""Edits of an attached wiki, whose messages hold only the number of a revision: the rest is read from its tables.

MediaWiki writes recentchanges after the response, so part of an edit may not be there yet; it is waited for, and that
counts no attempt. Not every revision is an edit: the trigger also sees what imports, undeletes, moves and protections
write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from outbox import Claim, Dead, Delivered, Edit, Lane, Outcome, RetryLater, UndecodableMessage, settle
from outbox.mediawiki.revisions import FoundRevision, find_revisions
from outbox.saved_revisions import HAS_SAVED_AT, SavedRevision
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.scores.outcomes import ANNOUNCEMENTS, of_another_wiki

#: The first wait for recentchanges; later ones grow with the age of the promise.
FIRST_WAIT = timedelta(seconds=1)
#: A revision that is older than that when it is saved was imported or restored. Clocks of web servers may be wrong by
#: less.
OLD = timedelta(hours=1)


def read_saved(wiki: Wiki, lane: Lane, claims: Sequence[Claim], max_attempts: int, patience: timedelta) -> list[Claim]:
    """*claims*, each with an edit in place of a saved revision; those that are no edit, or not yet, are settled.

    Two transactions at most, for all of them. *patience* is how long recentchanges is waited for.
    """
    read = {
        claim: _decoded(claim, wiki.id, max_attempts)
        for claim in claims
        if HAS_SAVED_AT.search(claim.payload) and claim.attempt <= max_attempts + ANNOUNCEMENTS
    }
    if not read:
        return list(claims)
    numbers = {each.revision for each in read.values() if isinstance(each, SavedRevision)}
    tables = wiki.database.run(partial(find_revisions, wiki=wiki.id, revisions=numbers)) if numbers else {}
    known = {
        claim: what_it_is(claim, each, tables.get(each.revision), patience) if isinstance(each, SavedRevision) else each
        for claim, each in read.items()
    }
    outcomes = {claim: outcome for claim, outcome in known.items() if not isinstance(outcome, Edit)}
    if outcomes:
        wiki.database.run(partial(settle, lane=lane, outcomes=outcomes))
        _tell(wiki, read, outcomes)
    edits = {claim: replace(claim, payload=edit.encode()) for claim, edit in known.items() if isinstance(edit, Edit)}
    return [edits.get(claim, claim) for claim in claims if claim not in outcomes]


def what_it_is(claim: Claim, saved: SavedRevision, found: FoundRevision | None, patience: timedelta) -> Edit | Outcome:
    """The edit that was *saved*, or how its claim ends if it is none, or not known yet. Pure."""
    if found is None or found.is_logged:
        # MediaWiki takes a row back whose number it used before, and writes it again under another one. Source:
        # mediawiki/core includes/Revision/RevisionStore.php `insertRevisionRowOn` REL1_39, T202032.
        return Delivered()
    if found.edit is None:
        problem = "holds what no edit can have, or belongs to no page"
        return Dead("unreadable_revision", f"the row of revision {saved.revision} {problem}")
    if found.has_change:
        return found.edit
    age = claim.claimed_at - saved.saved_at
    if age < patience and not found.is_archived:
        error = f"revision {saved.revision} is not in recentchanges yet"
        return RetryLater(max(FIRST_WAIT, age / 2), error, burns_attempt=False)
    return Delivered() if saved.saved_at - found.edit.timestamp > OLD else found.edit


def _decoded(claim: Claim, wiki: str, max_attempts: int) -> SavedRevision | Outcome:
    try:
        saved = SavedRevision.decode(claim.payload)
    except UndecodableMessage as error:
        return Dead("undecodable", str(error))
    return saved if saved.wiki == wiki else of_another_wiki(claim, saved.wiki, wiki, max_attempts)


def _tell(wiki: Wiki, read: Mapping[Claim, SavedRevision | Outcome], outcomes: Mapping[Claim, Outcome]) -> None:
    no_edits = [
        each.revision
        for claim, each in read.items()
        if isinstance(each, SavedRevision) and isinstance(outcomes.get(claim), Delivered)
    ]
    if no_edits:
        log.info("revisions_are_no_edits", wiki=wiki.id, revisions=no_edits)
