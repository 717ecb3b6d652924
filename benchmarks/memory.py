"""Whether the memory of a worker's child stays the same, however many messages wait."""

from dataclasses import dataclass

from redis import Redis

from benchmarks.columns import COLUMNS
from benchmarks.contenders import outpatrol
from benchmarks.edits import endless_edits
from benchmarks.measuring import Announce
from benchmarks.meters import Meters
from benchmarks.servers import Servers

MOST_MEGABYTES = 250.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The cost of draining a long backlog."""

    backlog: int
    seconds: float
    child_peak_megabytes: float

    @property
    def is_ok(self) -> bool:
        return self.child_peak_megabytes <= MOST_MEGABYTES


def measure_memory(servers: Servers, backlog: int, announce: Announce) -> Memory:
    """Record *backlog* edits, drain them all, and read the peak of the worker's children."""
    servers.endpoint.reset()
    with Redis.from_url(servers.redis_url) as redis:
        redis.flushdb()
    directory = servers.directory / "memory"
    directory.mkdir()
    with outpatrol(servers, COLUMNS["ores-0"], directory) as contender:
        announce("memory: recording the backlog", backlog)
        contender.fill(endless_edits(), backlog)
        times = contender.run(backlog, announce("memory", backlog))
        contender.check()
        meters = Meters(servers, contender.worker)
        peak = meters.peak_megabytes()
        meters.close()
    return Memory(backlog=backlog, seconds=times.announced - times.started, child_peak_megabytes=peak)
