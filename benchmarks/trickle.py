"""A trickle: single edits, each in a transaction of its own, at a slow rate over a few wikis; and what each costs."""

from dataclasses import dataclass

from rich.table import Table

from benchmarks.cloned_wikis import cloned_wikis
from benchmarks.many_wikis import many_wikis
from benchmarks.measuring import Announce
from benchmarks.meters import Meters, cpu_seconds
from benchmarks.servers import Servers
from benchmarks.settled import Settled
from benchmarks.traffic import Latencies
from worker.domain.errors import CommandFailed

#: As of a nearby endpoint.
LATENCY_MS = 20
START_SECONDS = 120
#: Before time counts: connections are opened, and model versions become known.
WARM_UP_SECONDS = 2
#: INSERT and COMMIT.
STATEMENTS_OF_SAVING = 2
WANTED_MILLISECONDS, WANTED_P50, WANTED_P99 = 2.5, 0.6, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trickle:
    """What a trickle came to; costs are of one edit."""

    wikis: int
    edits_per_second: float
    #: From the commit to the event in the file.
    latencies: Latencies
    #: Edits in a batch, and events in one.
    edits_a_batch: float
    events_a_batch: float
    #: By process; that of saving the edits is in MariaDB's, and in no other.
    cpu_milliseconds: dict[str, float]
    #: Without those of saving.
    sql_statements: float
    redis_commands_run: float
    http_calls: float

    @property
    def is_ok(self) -> bool:
        return (
            self.latencies.missing == 0
            and self.cpu_milliseconds["worker"] <= WANTED_MILLISECONDS
            and self.latencies.p50 <= WANTED_P50
            and self.latencies.p99 <= WANTED_P99
        )


def measure_trickle(
    servers: Servers,
    announce: Announce,
    *,
    rate: float,
    wikis: int,
    seconds: float,
    skew: float | None = None,
    kept: bool = False,
) -> Trickle:
    """Save *rate* edits a second for some *seconds* on so many *wikis*, and ring; *skew* as in `SingleEdits`."""
    servers.endpoint.reset()
    servers.endpoint.set(latency_ms=LATENCY_MS)
    with (
        cloned_wikis(servers, wikis, announce("cloning wikis", wikis), kept=kept) as urls,
        many_wikis(servers, urls) as here,
    ):
        tell = announce(f"{rate:g} edits/s over {wikis} wikis", 3)
        first = [key for wiki in here.wikis for key in here.traffic.commit(wiki)]
        if not here.traffic.wait(first, START_SECONDS):
            raise CommandFailed(
                f"no events after {START_SECONDS} s; the worker's log ends:\n{here.worker.end_of_log()}"
            )
        tell(1)
        here.traffic.trickle(here.wikis, WARM_UP_SECONDS, per_second=rate, skew=skew)
        tell(2)
        meters = Meters(servers, here.worker)
        before, beat = meters.read(), cpu_seconds(here.beat.process.pid)
        settled = Settled(here.worker.log)
        latencies = here.traffic.trickle(here.wikis, seconds, per_second=rate, skew=skew)
        cost = meters.read().since(before)
        cost.cpu_seconds["beat"] = cpu_seconds(here.beat.process.pid) - beat
        settled.look()
        meters.close()
        tell(3)
    edits = latencies.edits
    return Trickle(
        wikis=wikis,
        edits_per_second=edits / seconds,
        latencies=latencies,
        edits_a_batch=settled.edits / settled.batches["edits_settled"],
        events_a_batch=settled.events / settled.batches["events_settled"],
        cpu_milliseconds={name: 1000 * spent / edits for name, spent in cost.cpu_seconds.items()},
        sql_statements=cost.statements["all"] / edits - STATEMENTS_OF_SAVING,
        redis_commands_run=cost.redis_commands / edits,
        http_calls=cost.http_calls / edits,
    )


def trickle_table(found: Trickle) -> Table:
    table = Table(
        title=f"A trickle of {found.edits_per_second:.0f} edits/s over {found.wikis} wikis", title_justify="left"
    )
    for title in ("what", "measured", "wanted"):
        table.add_column(title, justify="left" if title == "what" else "right")
    rows = [
        ("edits, and without an event", f"{found.latencies.edits:,}, {found.latencies.missing:,}", "none without"),
        ("commit → event p50, s", f"{found.latencies.p50:.2f}", f"≤ {WANTED_P50}"),
        ("commit → event p99, s", f"{found.latencies.p99:.2f}", f"≤ {WANTED_P99}"),
        ("edits a batch, events a batch", f"{found.edits_a_batch:.1f}, {found.events_a_batch:.1f}", ""),
        ("SQL statements an edit", f"{found.sql_statements:.2f}", ""),
        ("Redis commands run an edit", f"{found.redis_commands_run:.2f}", ""),
        ("HTTP calls an edit", f"{found.http_calls:.2f}", ""),
        *(
            (
                f"CPU ms an edit: {name}",
                f"{spent:.2f}",
                f"≤ {WANTED_MILLISECONDS}" if name == "worker" else "",
            )
            for name, spent in found.cpu_milliseconds.items()
        ),
    ]
    for row in rows:
        table.add_row(*row)
    return table
