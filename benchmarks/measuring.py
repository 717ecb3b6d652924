"""One column: the same edits through our worker and through the baseline, and the costs of each."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.bare_loop import asked_bare
from benchmarks.columns import COLUMNS, Column
from benchmarks.contenders import Contender, Tell, one_task_an_edit, outpatrol
from benchmarks.edits import endless_edits
from benchmarks.meters import MeterReading, Meters, SentCommands
from benchmarks.servers import Servers

Start = Callable[[Servers, Column, Path], AbstractContextManager[Contender]]
#: Called with the name of a step and its size; returns a function to report progress.
Announce = Callable[[str, int], Tell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The result of one run of one worker; costs are per edit unless their names say otherwise."""

    edits: int
    #: From the go until the last edit was settled, and until its event was announced.
    seconds_to_scored: float
    seconds: float
    edits_per_second: float
    sql_statements: float
    sql_by_kind: dict[str, float]
    http_calls: float
    #: What clients sent; each is a round trip, unless it shares a pipeline with others.
    redis_commands_sent: float
    redis_sent_by_kind: dict[str, float]
    #: As Redis counts them: those that scripts run included.
    redis_commands_run: float
    #: Of the whole run, by process.
    cpu_seconds: dict[str, float]
    child_peak_megabytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both workers, one right after the other: a machine may be half as fast an hour later."""

    outpatrol: Measurement
    baseline: Measurement

    @property
    def ratio(self) -> float:
        return self.outpatrol.edits_per_second / self.baseline.edits_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One column of the table."""

    column: str
    #: One for each round, the smallest ratio first.
    pairs: tuple[Pair, ...]
    #: Of a loop that only asks, with nothing around it.
    bare_edits_per_second: float

    @property
    def middle(self) -> Pair:
        """The pair with the median of the ratios; of an even number of pairs the lower one of two."""
        return self.pairs[(len(self.pairs) - 1) // 2]

    @property
    def outpatrol(self) -> Measurement:
        return self.middle.outpatrol

    @property
    def baseline(self) -> Measurement:
        return self.middle.baseline

    @property
    def ratio(self) -> float:
        return self.middle.ratio

    @property
    def wanted_ratio(self) -> float:
        return COLUMNS[self.column].wanted_ratio

    @property
    def is_ok(self) -> bool:
        return self.ratio >= self.wanted_ratio

    @property
    def bare_ratio(self) -> float:
        return self.outpatrol.edits_per_second / self.bare_edits_per_second


def compare(
    servers: Servers, column: Column, edits: int, baseline_edits: int, announce: Announce, *, rounds: int = 1
) -> Comparison:
    """Measure both workers on *column*, on the same servers, in turns: who goes first is faster or slower by some."""
    servers.endpoint.reset()
    servers.endpoint.set(latency_ms=column.latency_ms)
    fewer = column.baseline_edits(baseline_edits)
    pairs = [_pair(servers, column, edits, fewer, announce, number) for number in range(1, rounds + 1)]
    return Comparison(
        column=column.name,
        pairs=tuple(sorted(pairs, key=lambda pair: pair.ratio)),
        bare_edits_per_second=asked_bare(servers.endpoint.url, column, fewer, announce),
    )


def _pair(servers: Servers, column: Column, edits: int, fewer: int, announce: Announce, number: int) -> Pair:
    """One round; the baseline goes first in every other one, and gets *fewer* edits."""
    amounts: dict[Start, int] = {one_task_an_edit: fewer, outpatrol: edits}
    order = list(amounts) if number % 2 else list(reversed(amounts))
    found = {
        start: measure(start, servers, column, amounts[start], warm_up_of(amounts[start]), announce, number)
        for start in order
    }
    return Pair(outpatrol=found[outpatrol], baseline=found[one_task_an_edit])


def measure(
    start: Start, servers: Servers, column: Column, edits: int, warm_up: int, announce: Announce, number: int = 1
) -> Measurement:
    """Start a worker, warm it up with some edits, while its Redis commands are listened to, and time *edits*.

    *number* is that of the round.
    """
    name = f"{column.name} {start.__name__.replace('_', ' ')} {number}"
    with Redis.from_url(servers.redis_url) as redis:
        redis.flushdb()
    directory = servers.directory / name.replace(" ", "-")
    directory.mkdir()
    source = endless_edits()
    with start(servers, column, directory) as contender:
        tell = announce(f"{name}: warming up", warm_up)
        # The first edit shows that the worker has started; its Redis commands are not counted.
        contender.fill(source, 1)
        contender.run(1, tell)
        with SentCommands(servers) as sent:
            contender.fill(source, warm_up)
            contender.run(warm_up, tell)
        contender.fill(source, edits)
        meters = Meters(servers, contender.worker)
        before, looks = meters.read(), contender.looks
        times = contender.run(edits, announce(name, edits))
        cost, looks = meters.read().since(before), contender.looks - looks
        contender.check()
        peak = meters.peak_megabytes()
        meters.close()
    seconds = times.announced - times.started
    return Measurement(
        edits=edits,
        seconds_to_scored=times.scored - times.started,
        seconds=seconds,
        edits_per_second=edits / seconds,
        sql_statements=(cost.statements.pop("all") - looks) / edits,
        sql_by_kind=_each(_without_looks(cost, looks), edits),
        http_calls=cost.http_calls / edits,
        redis_commands_sent=sent.counts.total() / warm_up,
        redis_sent_by_kind=_each(sent.counts, warm_up),
        redis_commands_run=cost.redis_commands / edits,
        cpu_seconds=cost.cpu_seconds,
        child_peak_megabytes=peak,
    )


def warm_up_of(edits: int) -> int:
    return max(20, edits // 10)


def _without_looks(cost: MeterReading, looks: int) -> Counter[str]:
    return Counter(cost.statements | {"select": cost.statements["select"] - looks})


def _each(counts: Counter[str], edits: int) -> dict[str, float]:
    return {name: count / edits for name, count in counts.most_common() if count}
