"""Keeps wikis that exist attached as the settings want it: by `migrate`, and looked for now and then."""

from functools import partial

from sqlalchemy.exc import OperationalError

from outbox.database import is_busy
from outbox.mediawiki import attaching
from outbox.server import repeated
from worker.config.wiki import Wiki
from worker.incoming.following import begin_following, end_following, is_followed

#: How often the table, which edits have in use, is tried to be had for a moment.
TRIES = 20
#: Seconds in which the edits go on that had to wait meanwhile.
PAUSE_SECONDS = 1.0


def keep_attached(wiki: Wiki) -> bool:
    """Begin what the settings want, and end what they do not; returns whether anything was changed.

    What is to come begins before the other ends, so that no edit is missed between them. One that is promised by both
    is scored and announced as one that was recorded twice: under the same ids.

    Raises:
        OutboxError: the database does not allow it; one sentence with the cure.
        sqlalchemy.exc.OperationalError: somebody has had the table in use the whole time.
    """
    begun = wiki.settings.is_followed and wiki.database.run(begin_following)
    changed = _keep_trigger(wiki)
    ended = not wiki.settings.is_followed and wiki.database.run(end_following)
    return begun or changed or ended


def _keep_trigger(wiki: Wiki) -> bool:
    change = partial(attaching.attach if wiki.settings.has_trigger else attaching.detach, wiki=wiki.id)

    def once() -> bool:
        with wiki.database.transaction() as connection:
            return change(connection)

    return repeated(once, OperationalError, is_busy, tries=TRIES, pause=lambda _: PAUSE_SECONDS)


def not_attached(wiki: Wiki) -> str | None:
    """A sentence if the wiki is to be attached and is not, so that nobody promises its edits."""
    if not wiki.settings.attached:
        return None
    with wiki.database.reading() as connection:
        if is_followed(connection) if wiki.settings.is_followed else attaching.is_attached(connection, wiki.id):
            return None
    what = f"the trigger {attaching.TRIGGER} of {wiki.database.shown_url} is not there or was changed"
    if wiki.settings.is_followed:
        what = f"recentchanges of {wiki.database.shown_url} is not followed"
    return (
        f"{what}, so that edits are not promised; run: outpatrol migrate --wiki {wiki.id}, and then, for what was "
        f"missed: outpatrol reconcile --wiki {wiki.id}"
    )
