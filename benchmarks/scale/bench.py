"""The parts of `python -m benchmarks scale`, and whether each is within its bound."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from benchmarks.cloned_wikis import cloned_wikis
from benchmarks.many_wikis import many_wikis
from benchmarks.measuring import Announce
from benchmarks.scale.backlog import WARM_UP_EDITS, Backlog, measure_backlog
from benchmarks.scale.idle import Burst, Idle, Upkeep, begin, measure_burst, measure_idle, measure_upkeep
from benchmarks.scale.own_transaction import OwnTransaction
from benchmarks.servers import Servers

PARTS = ("idle", "upkeep", "burst", "backlog", "edit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of everything; the defaults are those of the figures in NOTES.md."""

    wikis: int = 300
    idle_seconds: float = 60
    unrung: int = 3
    burst: int = 300
    backlogs: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    #: Edits drained of each backlog, after some to warm up; many times what is claimed at once, of which a part is done
    #: at either end.
    slice: int = 30_000
    warm_up: int = WARM_UP_EDITS
    #: How often each backlog is drained; the one with the middle cost counts.
    rounds: int = 3
    #: Changes to the default settings.
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Scale:
    """What was measured; None where that part was not wanted."""

    idle: Idle | None = None
    upkeep: Upkeep | None = None
    burst: Burst | None = None
    backlogs: list[Backlog] = field(default_factory=list)
    edit: OwnTransaction | None = None


def measure_scale(
    servers: Servers, amount: Amount, parts: Collection[str], announce: Announce, *, kept: bool = False
) -> Scale:
    """Measure those *parts*; *kept* databases are left for the next run. Upkeep is what comes on top of idle wikis."""
    found = Scale()
    is_many = not {"idle", "burst"}.isdisjoint(parts)
    count = amount.wikis if is_many else 1
    servers.endpoint.reset()
    with ExitStack() as stack:
        tell = announce("cloning wikis", count)
        # A look for new model versions asks about recent changes.
        emulated = "upkeep" in parts
        urls = stack.enter_context(cloned_wikis(servers, count, tell, kept=kept, emulated=emulated))
        if is_many:
            _measure_many(servers, amount, parts, announce, urls, found)
        if "backlog" in parts:
            found.backlogs = _backlogs(servers, urls["w0"], amount, announce)
    return found


def _backlogs(servers: Servers, url: str, amount: Amount, announce: Announce) -> list[Backlog]:
    """One for each size, measured in turns: the speed of a machine may change by a third within a minute."""
    rounds = [
        [measure_backlog(servers, url, waiting, amount.slice, announce, amount.warm_up) for waiting in amount.backlogs]
        for _ in range(amount.rounds)
    ]
    middle = amount.rounds // 2
    return [sorted(of_one, key=attrgetter("milliseconds"))[middle] for of_one in zip(*rounds, strict=True)]


def _measure_many(
    servers: Servers, amount: Amount, parts: Collection[str], announce: Announce, urls: Mapping[str, str], found: Scale
) -> None:
    with many_wikis(servers, urls, **amount.settings) as here:
        tell = announce(f"{amount.wikis} wikis", 4)
        begin(here)
        tell(1)
        if "burst" in parts:
            found.burst = measure_burst(servers, here, amount.burst, amount.unrung)
            tell(2)
        if "idle" in parts:
            found.idle = measure_idle(servers, here, amount.idle_seconds)
        tell(3)
        if "upkeep" in parts and found.idle:
            found.upkeep = measure_upkeep(servers, here, found.idle)
