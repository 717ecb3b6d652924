"""Which tables and views there are after each revision."""

from alembic.script import ScriptDirectory

import worker.incoming.positions  # noqa: F401 - declares a table
from outbox.mediawiki.schema import archive
from outbox.mediawiki.schema import metadata as wiki_metadata
from outbox.ownership import made_here
from outbox.tables import metadata
from worker.bootstrap import LANES
from worker.upkeep.migrating import MIGRATIONS, VERSION_TABLE

#: Without what is only read, where a wiki has it.
WIKI = set(wiki_metadata.tables) - {archive.name}
OURS = set(metadata.tables)
LANE_TABLES = {lane.name: {lane.messages.name, lane.waiting.name, lane.dead_letters.name} for lane in LANES}
MADE_HERE = made_here.name
ALL = {VERSION_TABLE} | WIKI | OURS
VIEWS = {"outpatrol_score", "outpatrol_recent_change"}
#: Revision to the tables that it adds; the first makes all that no later one adds.
ADDED = {
    "0001_own_tables": set[str](),
    "0002_wiki_tables": WIKI,
    "0003_room_for_leases": set(),
}
#: Revision to the tables there are after it.
STEPS = {revision: ALL.difference(*list(ADDED.values())[number:]) for number, revision in enumerate(ADDED, start=1)}


def head_revision() -> str | None:
    """The newest revision that there is a file of."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
