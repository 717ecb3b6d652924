"""What `python -m benchmarks scale` found: as a table for people and as a document for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.memory import MOST_MEGABYTES
from benchmarks.scale.backlog import WANTED_SPREAD, Backlog, spread
from benchmarks.scale.bench import Scale
from benchmarks.scale.idle import WANTED_AFTER_POLL, WANTED_BURST, WANTED_SHARE, WANTED_STATEMENTS, Burst, Idle, Upkeep
from benchmarks.scale.own_transaction import WANTED_SHARE as WANTED_OF_EDIT
from benchmarks.scale.own_transaction import OwnTransaction
from benchmarks.scale.promise import Share

#: What, measured, wanted, and whether it is so; None where nothing is wanted.
Row = tuple[str, str, str, bool | None]


def rows(found: Scale) -> list[Row]:
    result: list[Row] = []
    if found.idle:
        result += _idle(found.idle)
    if found.upkeep:
        result += _upkeep(found.upkeep)
    if found.burst:
        result += _burst(found.burst)
    if found.backlogs:
        result += _backlogs(found.backlogs)
    if found.edit:
        result += _edit(found.edit)
    peaks = [each.peak_megabytes for each in (found.idle, found.burst, *found.backlogs) if each]
    if peaks:
        result.append(
            (
                "peak memory of a process, MB",
                f"{max(peaks):.0f}",
                f"≤ {MOST_MEGABYTES:.0f}",
                max(peaks) <= MOST_MEGABYTES,
            )
        )
    return result


def is_ok(found: Scale) -> bool:
    return all(row[3] is not False for row in rows(found))


def scale_table(found: Scale) -> Table:
    table = Table(title="Many wikis, long backlogs, and the edit's own transaction", title_justify="left")
    for title in ("what", "measured", "wanted", "ok"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for what, measured, wanted, verdict in rows(found):
        table.add_row(what, measured, wanted, "" if verdict is None else ("yes" if verdict else "no"))
    return table


def scale_document(found: Scale) -> dict[str, Any]:
    return asdict(found) | {"ok": is_ok(found)}


def _idle(idle: Idle) -> Iterator[Row]:
    shares = idle.shares
    yield (
        f"{idle.wikis} idle wikis: share of a core, workers + beat + Redis",
        f"{idle.ours:.1%} ({shares['worker']:.1%} + {shares['beat']:.1%} + {shares['redis']:.1%})",
        f"≤ {WANTED_SHARE:.0%}",
        idle.ours <= WANTED_SHARE,
    )
    yield "MariaDB", f"{shares['mariadb']:.1%}", f"≤ {WANTED_SHARE:.0%}", shares["mariadb"] <= WANTED_SHARE
    yield (
        "SQL statements/s for each hundred wikis",
        f"{idle.statements_per_hundred:.2f}",
        f"≤ {WANTED_STATEMENTS:g}",
        idle.statements_per_hundred <= WANTED_STATEMENTS,
    )
    yield "connections open, and opened meanwhile", f"{idle.connections}, {idle.connections_opened}", "", None


def _upkeep(upkeep: Upkeep) -> Iterator[Row]:
    yield "a look for new model versions: CPU ms a wiki", _costs(upkeep.cpu_milliseconds), "", None
    every = f"{upkeep.share:.1%} of a core, every {upkeep.period_seconds:g} s"
    yield "its average for all wikis, workers + Redis", every, "", None


def _burst(burst: Burst) -> Iterator[Row]:
    most = burst.poll_seconds + WANTED_AFTER_POLL
    if burst.unrung_seconds:
        yield (
            "an edit that nobody rang for: s from commit to event",
            ", ".join(f"{seconds:.1f}" for seconds in burst.unrung_seconds),
            f"≤ {most:g}",
            max(burst.unrung_seconds) <= most,
        )
    yield (
        f"an edit on each of {burst.wikis} wikis: s to the last event",
        f"{burst.seconds:.1f}",
        f"≤ {WANTED_BURST:g}",
        burst.seconds <= WANTED_BURST,
    )
    yield "CPU ms for each of these", _costs(burst.cpu_milliseconds), "", None
    yield "connections open afterwards", f"{burst.connections}", "", None


def _backlogs(backlogs: list[Backlog]) -> Iterator[Row]:
    for backlog in backlogs:
        costs = f"{backlog.milliseconds:.2f} ({_costs(backlog.cpu_milliseconds)})"
        yield f"{backlog.waiting:,} waiting: CPU ms an edit", costs, "", None
    if len(backlogs) > 1:
        found = spread(backlogs)
        yield "how far these are from their middle", f"± {found:.0%}", f"≤ {WANTED_SPREAD:.0%}", found <= WANTED_SPREAD


def _edit(edit: OwnTransaction) -> Iterator[Row]:
    here, emulated = edit.mediawiki, edit.emulated
    yield "an edit's transaction as MediaWiki sends it, ms", f"{here.trigger.milliseconds:.2f}", "", None
    yield (
        "the promise in it, by the trigger of an attached wiki, ms",
        _share(here.trigger),
        f"≤ {WANTED_OF_EDIT:.0%}",
        here.trigger.share <= WANTED_OF_EDIT,
    )
    yield "by outbox.record, ms", _share(here.record), "", None
    yield "a SELECT 1 in its place, ms", _share(here.empty), "", None
    promised = f"{emulated.milliseconds:.2f}, {_share(emulated)}"
    yield "an emulated wiki's, and the promise in it, ms", promised, "", None
    beside = edit.beside_a_drain
    yield "this one beside a drain, ms p50, p99", f"{1000 * beside.p50:.2f}, {1000 * beside.p99:.2f}", "", None
    yield f"lock waits in {beside.edits:,} of these", f"{edit.lock_waits}", "none", edit.lock_waits == 0


def _share(promise: Share) -> str:
    return f"{promise.promise_milliseconds:.2f} ({promise.share:.1%})"


def _costs(milliseconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {spent:.2f}" for name, spent in milliseconds.items())
