"""What a database holds after a wiki's own code has run: pages that were saved, and edits that were promised."""

from sqlalchemy import select

from outbox import EDITS, Edit
from outbox.database import Database
from outbox.mediawiki.schema import page


def promised(database: Database) -> list[Edit]:
    """The edits in the lane, read back, in order."""
    messages = EDITS.messages.c
    with database.reading() as connection:
        payloads = connection.execute(select(messages.payload).order_by(messages.id)).scalars()
        return [Edit.decode(payload) for payload in payloads]


def saved(database: Database) -> list[int]:
    with database.reading() as connection:
        return list(connection.execute(select(page.c.page_id).order_by(page.c.page_id)).scalars())
