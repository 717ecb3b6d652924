"""Keeps the trigger of wikis that exist as the settings want it: made by `migrate`, looked for now and then."""

from functools import partial

from sqlalchemy.exc import OperationalError

from outbox.database import is_busy
from outbox.mediawiki import attaching
from outbox.server import repeated
from worker.config.wiki import Wiki

#: How often the table, which edits have in use, is tried to be had for a moment.
TRIES = 20
#: Seconds in which the edits go on that had to wait meanwhile.
PAUSE_SECONDS = 1.0


def keep_attached(wiki: Wiki) -> bool:
    """Make the trigger if the wiki is to be attached, and remove it if not; returns whether anything was changed.

    Raises:
        OutboxError: the database does not allow it; one sentence with the cure.
        sqlalchemy.exc.OperationalError: somebody has had the table in use the whole time.
    """
    change = partial(attaching.attach if wiki.settings.attached else attaching.detach, wiki=wiki.id)

    def once() -> bool:
        with wiki.database.transaction() as connection:
            return change(connection)

    return repeated(once, OperationalError, is_busy, tries=TRIES, pause=lambda _: PAUSE_SECONDS)


def missing_trigger(wiki: Wiki) -> str | None:
    """A sentence if the wiki is to be attached and is not, so that nobody promises its edits."""
    if not wiki.settings.attached:
        return None
    with wiki.database.reading() as connection:
        if attaching.is_attached(connection, wiki.id):
            return None
    return (
        f"the trigger {attaching.TRIGGER} of {wiki.database.shown_url} is not there or was changed, so that edits are "
        f"not promised; run: outpatrol migrate --wiki {wiki.id}, and then, for what was missed: "
        f"outpatrol reconcile --wiki {wiki.id}"
    )
