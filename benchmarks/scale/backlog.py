"""What an edit costs while few wait and while very many do."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import pymysql

from benchmarks.contenders import Tell, wait_until_done
from benchmarks.many_wikis import ManyWikis, many_wikis
from benchmarks.measuring import Announce
from benchmarks.meters import Meters
from benchmarks.scale.idle import begin
from benchmarks.servers import Servers, connect
from benchmarks.settled import Settled
from outbox import EDITS, Lane
from tests.builders import an_edit
from worker.demo.processes import kill_group
from worker.events.file_sink import FILE

#: Stands in the payload for the number of the revision.
REVISION = 987_654_321
FIRST_REVISION = 20_000_000
#: Edits before the slice that is measured, so that connections are open and model versions are known.
WARM_UP_EDITS = 1_000
WANTED_SPREAD = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The cost of one slice of edits, after which *waiting* messages were left."""

    waiting: int
    #: Edits, and events, that were settled meanwhile.
    edits: int
    events: int
    #: By process, of one edit; the events of those before are among it.
    cpu_milliseconds: dict[str, float]
    seconds: float
    peak_megabytes: float

    @property
    def milliseconds(self) -> float:
        """Of workers, MariaDB and Redis."""
        return sum(spent for name, spent in self.cpu_milliseconds.items() if name != "endpoint")


def spread(backlogs: Sequence[Backlog]) -> float:
    """How far the dearest edit and the cheapest are from their middle, as a share of it."""
    costs = [backlog.milliseconds for backlog in backlogs]
    return (max(costs) - min(costs)) / (max(costs) + min(costs))


def measure_backlog(
    servers: Servers, url: str, waiting: int, edits: int, announce: Announce, warm_up: int = WARM_UP_EDITS
) -> Backlog:
    """Fill the wiki at *url*, drain some and then *edits* of it with a worker that starts now, and end that one."""
    tell = announce(f"{waiting:,} messages waiting", warm_up + edits)
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        try:
            with many_wikis(servers, {"w0": url}) as here:
                # Nobody is to look for work before it is rung for.
                kill_group(here.beat)
                begin(here)
                fill(cursor, waiting + warm_up + edits)
                return _drained(servers, here, waiting, edits, warm_up, tell)
        finally:
            # Both lanes, since the last events may wait there.
            for lane in (EDITS, FILE.lane):
                _empty(cursor, lane)


def _drained(servers: Servers, here: ManyWikis, waiting: int, edits: int, warm_up: int, tell: Tell) -> Backlog:
    """What *edits* cost after *warm_up* of them."""
    settled = Settled(here.worker.log)

    def done() -> int:
        settled.look()
        tell(settled.edits)
        return settled.edits

    here.services.doorbell.turn("w0", EDITS.name)
    wait_until_done(here.worker, done, warm_up)
    meters = Meters(servers, here.worker)
    before, first, began = meters.read(), (settled.edits, settled.events), time.monotonic()
    # Batches are large, so that more than the warm-up may be settled by now.
    wait_until_done(here.worker, done, min(first[0] + edits, waiting + warm_up + edits))
    cost, took = meters.read().since(before), time.monotonic() - began
    peak = meters.peak_megabytes()
    meters.close()
    drained = settled.edits - first[0]
    return Backlog(
        waiting=waiting,
        edits=drained,
        events=settled.events - first[1],
        cpu_milliseconds={name: 1000 * spent / drained for name, spent in cost.cpu_seconds.items()},
        seconds=took,
        peak_megabytes=peak,
    )


def fill(cursor: "pymysql.cursors.Cursor", count: int) -> None:
    """Put *count* edits into the outbox, past the code that records them, which takes a minute for a million."""
    payload = an_edit(wiki="w0", revision=REVISION, page=REVISION).encode()
    numbered = f"SELECT REPLACE(%s, %s, {FIRST_REVISION} + seq) FROM seq_1_to_{count}"
    cursor.execute(f"INSERT INTO {EDITS.messages.name} (payload) {numbered}", [payload, str(REVISION)])


def _empty(cursor: "pymysql.cursors.Cursor", lane: Lane) -> None:
    for table in (lane.messages, lane.waiting, lane.dead_letters):
        cursor.execute(f"TRUNCATE TABLE {table.name}")
