"""Which tables and views there are after each revision."""

from outbox.mediawiki import metadata as wiki_metadata
from outbox.tables import metadata as lane_metadata
from worker.events.tables import metadata as ledger_metadata
from worker.flight.tables import metadata as flight_metadata
from worker.incoming.positions import metadata as position_metadata
from worker.scores.own_tables import metadata as own_metadata
from worker.scores.tables import metadata as classification_metadata
from worker.upkeep.migrating import VERSION_TABLE

WIKI = set(wiki_metadata.tables) | set(classification_metadata.tables)
LANES = set(lane_metadata.tables)
BACKFILL = {name for name in LANES if name.startswith("backfill_")}
FIRST_LANES = {
    name for name in LANES if name.removesuffix("_waiting").removesuffix("_dead") in {"outbox", "event_outbox"}
}
FLIGHT = set(flight_metadata.tables)
MADE_HERE = "outpatrol_own_table"
UPKEEP = BACKFILL | set(own_metadata.tables)
ALL = {VERSION_TABLE} | WIKI | LANES | FLIGHT | UPKEEP | set(ledger_metadata.tables) | set(position_metadata.tables)
VIEWS = {"outpatrol_score", "outpatrol_recent_change"}
#: Revision to the tables there are after it.
STEPS = {
    "0001": {VERSION_TABLE} | FIRST_LANES,
    "0002": {VERSION_TABLE} | FIRST_LANES | WIKI | {MADE_HERE},
    "0003": {VERSION_TABLE} | FIRST_LANES | WIKI | {MADE_HERE} | FLIGHT,
    "0004": {VERSION_TABLE} | FIRST_LANES | WIKI | {MADE_HERE} | FLIGHT | UPKEEP,
    "0005": ALL,
}
