"""A wiki that exists and is attached: what MediaWiki writes there, and what was promised."""

from datetime import timedelta

from outbox import EDITS, claim
from outbox.database import Database
from outbox.mediawiki.attaching import attach
from outbox.saved_revisions import SavedRevision
from tests.migrations.real_wiki import make_real_wiki
from worker.upkeep.migrating import migrate

#: The page of `make_real_wiki`, its newest revision, and who made it.
PAGE, PARENT, ACTOR = 5, 745065890, 7
NEW = 745066000


def make_attached(database: Database) -> None:
    """Make *database*, which is empty, that of an attached wiki."""
    make_real_wiki(database)
    migrate(database)
    assert database.run(lambda connection: attach(connection, "enwiki"))


def revision(number: int = NEW, **values: object) -> str:
    """The statement with which a revision is saved, of an ordinary edit unless *values* say otherwise."""
    columns: dict[str, object] = {
        "rev_id": number, "rev_page": PAGE, "rev_comment_id": 78, "rev_actor": ACTOR,
        "rev_timestamp": "20221202120000", "rev_len": 95, "rev_parent_id": PARENT,
    }  # fmt: skip
    return inserted("revision", columns | values)


def change(number: int = NEW, **values: object) -> str:
    """The statement with which recentchanges gets the edit, after its transaction."""
    columns: dict[str, object] = {
        "rc_timestamp": "20221202120000", "rc_actor": ACTOR, "rc_comment_id": 78, "rc_title": "Café_Noir",
        "rc_cur_id": PAGE, "rc_this_oldid": number, "rc_last_oldid": PARENT, "rc_source": "mw.edit",
        "rc_old_len": 90, "rc_new_len": 95,
    }  # fmt: skip
    return inserted("recentchanges", columns | values)


def inserted(table: str, values: dict[str, object]) -> str:
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(repr, values.values()))})"


def promised(database: Database) -> list[SavedRevision]:
    """What waits in the lane; it is claimed afterwards."""
    with database.transaction() as connection:
        claims = claim(connection, EDITS, limit=100, lease=timedelta(seconds=30))
    return [SavedRevision.decode(each.payload) for each in claims]
