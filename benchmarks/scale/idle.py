"""What wikis cost on which nothing happens, and what a burst of single edits on all of them takes."""

import time
from collections import Counter
from dataclasses import dataclass, field

from pymysql.cursors import Cursor

from benchmarks.many_wikis import ManyWikis
from benchmarks.meters import Meters, cpu_seconds
from benchmarks.servers import Servers, connect
from outbox import EDITS
from outbox.inspection import inspect_lane
from tests.endpoint import EmulatedEndpoint
from tests.patience import WaitedInVain, until
from worker.domain.errors import CommandFailed
from worker.events.file_sink import FILE
from worker.lanes.rings import CHECK_MODEL_VERSIONS

#: What the first events may take, from the start of the processes on, and any edit later.
PATIENCE_SECONDS = 120
#: From the last question of a look for new model versions to the end of its task.
GRACE_SECONDS = 3
#: Few enough to be no more work; on a server that others use there are always some.
DIRTY_PAGES = 50
#: As fast as any disk takes them; the default is 200.
PAGES_A_SECOND = 20_000
WANTED_SHARE, WANTED_STATEMENTS, WANTED_BURST, WANTED_AFTER_POLL = 0.05, 10.0, 15.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """While nothing happens on any wiki."""

    wikis: int
    seconds: float
    #: Processor time of each kind of process as a share of one core.
    shares: dict[str, float]
    statements_per_second: float
    #: Of the workers, and how many they opened meanwhile.
    connections: int
    connections_opened: int
    peak_megabytes: float

    @property
    def ours(self) -> float:
        """Of workers, beat and Redis together."""
        return self.shares["worker"] + self.shares["beat"] + self.shares["redis"]

    @property
    def statements_per_hundred(self) -> float:
        return self.statements_per_second / self.wikis * 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What a look for new model versions costs, beside what idle wikis cost anyway."""

    wikis: int
    period_seconds: float
    #: For how many of them the endpoint was asked for its models, and how often for each wiki.
    wikis_asked: int
    calls: float
    #: Of one wiki, by process.
    cpu_milliseconds: dict[str, float]
    #: Of a core, on average over the period, of workers and Redis for all wikis.
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Single edits: some that nobody rang for, and one on each wiki at once."""

    poll_seconds: float
    #: From commit to event, of each edit without a ring.
    unrung_seconds: list[float]
    wikis: int
    #: From the first commit to the last event.
    seconds: float
    #: Of one of these edits, by process; in MariaDB's is what saving it costs.
    cpu_milliseconds: dict[str, float]
    connections: int
    peak_megabytes: float


@dataclass(slots=True)
class Asked:
    """How often an endpoint was asked for its models, by wiki, as its log tells."""

    endpoint: EmulatedEndpoint
    calls: Counter[str] = field(default_factory=Counter)
    _read: int = 0

    def look(self) -> int:
        """Take in what the log says meanwhile; returns for how many wikis it was asked."""
        for call in self.endpoint.calls(since=self._read):
            self._read = call["sequence"]
            if call["kind"] == "info":
                self.calls[call["wiki"]] += 1
        return len(self.calls)


def begin(here: ManyWikis) -> None:
    """Wait until the workers serve."""
    if not here.traffic.wait(here.traffic.commit(here.wikis[0]), PATIENCE_SECONDS):
        raise CommandFailed(f"no event after {PATIENCE_SECONDS} s; the worker's log ends:\n{here.worker.end_of_log()}")


def measure_idle(servers: Servers, here: ManyWikis, seconds: float) -> Idle:
    """Do nothing for some *seconds*, from a while after the last work on, or until a poll came in them."""
    poll_seconds = here.services.settings.poll_seconds
    until(lambda: not _pending(here), "the end of all work")
    write_back(servers)
    time.sleep(min(seconds, poll_seconds))
    meters = Meters(servers, here.worker)
    before, beat = meters.read(), cpu_seconds(here.beat.process.pid)
    began = time.monotonic()
    time.sleep(seconds)
    until(lambda: meters.selects() > before.statements["select"], "a poll", pause=poll_seconds)
    took = time.monotonic() - began
    cost = meters.read().since(before)
    cost.cpu_seconds["beat"] = cpu_seconds(here.beat.process.pid) - beat
    peak = meters.peak_megabytes()
    meters.close()
    return Idle(
        wikis=len(here.wikis),
        seconds=took,
        shares={name: spent / took for name, spent in cost.cpu_seconds.items()},
        statements_per_second=cost.statements["all"] / took,
        connections=here.account.connections(),
        connections_opened=cost.connections,
        peak_megabytes=peak,
    )


def write_back(servers: Servers) -> None:
    """Have MariaDB write to disk what making the wikis and their edits changed in memory.

    Left alone, it takes minutes for what 900 wikis leave, and more processor time than the polls meanwhile.
    """
    with connect(servers.mariadb_url) as connection, connection.cursor() as cursor:

        def dirty_pages() -> int:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
            return int(cursor.fetchall()[0][1])

        cursor.execute("SELECT @@innodb_max_dirty_pages_pct, @@innodb_io_capacity, @@innodb_io_capacity_max")
        before = cursor.fetchall()[0]
        try:
            _set_flushing(cursor, 0, PAGES_A_SECOND, PAGES_A_SECOND)
            until(lambda: dirty_pages() <= DIRTY_PAGES, "what was changed to be on disk", progress=dirty_pages, pause=1)
        finally:
            _set_flushing(cursor, *before)


def _set_flushing(cursor: Cursor, most_dirty_percent: float, pages_a_second: int, most_pages_a_second: int) -> None:
    cursor.execute("SET GLOBAL innodb_max_dirty_pages_pct = %s", [most_dirty_percent])
    # Neither may be above the other; MariaDB raises the upper one by itself.
    cursor.execute("SET GLOBAL innodb_io_capacity = %s", [pages_a_second])
    cursor.execute("SET GLOBAL innodb_io_capacity_max = %s", [most_pages_a_second])


def _pending(here: ManyWikis) -> bool:
    """Whether edits or events are still to be settled."""
    for wiki in here.services.wikis.values():
        with wiki.database.reading() as connection:
            if any(inspect_lane(connection, lane).pending for lane in (EDITS, FILE.lane)):
                return True
    return False


def measure_burst(servers: Servers, here: ManyWikis, burst: int, unrung: int) -> Burst:
    """Save *unrung* edits one after the other without a ring, then one on each of *burst* wikis."""
    alone = [_unrung(here, number) for number in range(unrung)]
    wikis = here.wikis[:burst]
    meters = Meters(servers, here.worker)
    before = meters.read()
    began = time.monotonic()
    keys = [key for wiki in wikis for key in here.traffic.commit(wiki)]
    if not here.traffic.wait(keys, PATIENCE_SECONDS):
        raise CommandFailed(f"{len(keys)} single edits were not through after {PATIENCE_SECONDS} s")
    last = max(here.traffic.seen[key] for key in keys)
    cost = meters.read().since(before)
    connections, peak = here.account.connections(), meters.peak_megabytes()
    meters.close()
    return Burst(
        poll_seconds=here.services.settings.poll_seconds,
        unrung_seconds=alone,
        wikis=len(wikis),
        seconds=last - began,
        cpu_milliseconds={name: 1000 * spent / len(keys) for name, spent in cost.cpu_seconds.items()},
        connections=connections,
        peak_megabytes=peak,
    )


def measure_upkeep(servers: Servers, here: ManyWikis, idle: Idle) -> Upkeep:
    """Have the workers look for new model versions on all wikis, as a beat does now and then."""
    servers.endpoint.reset()
    meters = Meters(servers, here.worker)
    before, began = meters.read(), time.monotonic()
    here.client.send_task(CHECK_MODEL_VERSIONS)
    asked = Asked(servers.endpoint)
    try:
        until(
            lambda: asked.look() >= len(here.wikis),
            "a look at every wiki",
            progress=asked.look,
            patience=PATIENCE_SECONDS,
            pause=GRACE_SECONDS / 10,
        )
    except WaitedInVain as error:
        raise CommandFailed(f"{error}; the worker's log ends:\n{here.worker.end_of_log()}") from error
    time.sleep(GRACE_SECONDS)
    cost, took = meters.read().since(before), time.monotonic() - began
    meters.close()
    spent = {name: cost.cpu_seconds[name] - idle.shares[name] * took for name in cost.cpu_seconds}
    period = here.services.settings.upkeep.check_seconds
    return Upkeep(
        wikis=len(here.wikis),
        period_seconds=period,
        wikis_asked=asked.look(),
        calls=sum(asked.calls.values()) / len(here.wikis),
        cpu_milliseconds={name: 1000 * seconds / len(here.wikis) for name, seconds in spent.items()},
        share=(spent["worker"] + spent["redis"]) / period,
    )


def _unrung(here: ManyWikis, number: int) -> float:
    # Not the same moment of the poll's interval each time.
    time.sleep(here.services.settings.poll_seconds * (0.3 * number % 1))
    keys = here.traffic.commit(here.wikis[-1 - number % len(here.wikis)], rings=False)
    here.traffic.wait(keys, PATIENCE_SECONDS)
    return here.traffic.latency(keys[0])
