"""Which tables and views there are after each revision."""

import worker.incoming.positions  # noqa: F401 - declares a table
from outbox.mediawiki.schema import metadata as wiki_metadata
from outbox.tables import metadata
from worker.bootstrap import LANES
from worker.upkeep.migrating import VERSION_TABLE

WIKI = set(wiki_metadata.tables)
OURS = set(metadata.tables)
LANE_TABLES = {table.name for lane in LANES for table in (lane.messages, lane.waiting, lane.dead_letters)}
BACKFILL = {name for name in LANE_TABLES if name.startswith("backfill_")}
FIRST_LANES = {
    name for name in LANE_TABLES if name.removesuffix("_waiting").removesuffix("_dead") in {"outbox", "event_outbox"}
}
FLIGHT = {"score_flight"}
MADE_HERE = "outpatrol_own_table"
UPKEEP = BACKFILL | {MADE_HERE, "model_candidate", "formula_threshold"}
ALL = {VERSION_TABLE} | WIKI | OURS
VIEWS = {"outpatrol_score", "outpatrol_recent_change"}
#: Revision to the tables there are after it.
STEPS = {
    "0001": {VERSION_TABLE} | FIRST_LANES,
    "0002": {VERSION_TABLE} | FIRST_LANES | WIKI | {MADE_HERE},
    "0003": {VERSION_TABLE} | FIRST_LANES | WIKI | {MADE_HERE} | FLIGHT,
    "0004": {VERSION_TABLE} | FIRST_LANES | WIKI | {MADE_HERE} | FLIGHT | UPKEEP,
    "0005": ALL,
}
