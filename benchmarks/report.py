"""The results as a table for people and as one JSON object for programs."""

import dataclasses
import os
import platform
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks.measuring import Comparison, Measurement
from benchmarks.memory import MOST_MEGABYTES, Memory
from benchmarks.sharing import Sharing
from benchmarks.transports import Transport
from benchmarks.web import WANTED_MILLISECONDS, WANTED_SCORES, WANTED_SLOWDOWN, Replies, Web
from benchmarks.web import WANTED_RATIO as WANTED_OF_WEB

#: Title of a row, and its text for one measurement.
ROWS: tuple[tuple[str, Callable[[Measurement], str]], ...] = (
    ("edits", lambda run: f"{run.edits:,}"),
    ("edits/s", lambda run: f"{run.edits_per_second:,.0f}"),
    ("edits/s until scored", lambda run: f"{run.edits / run.seconds_to_scored:,.0f}"),
    ("SQL statements an edit", lambda run: f"{run.sql_statements:.3f}"),
    ("HTTP calls an edit", lambda run: f"{run.http_calls:.3f}"),
    ("Redis commands sent an edit", lambda run: f"{run.redis_commands_sent:.3f}"),
    ("Redis commands run an edit", lambda run: f"{run.redis_commands_run:.2f}"),
    ("peak memory of a child, MB", lambda run: f"{run.child_peak_megabytes:.0f}"),
    ("CPU ms an edit: all", lambda run: f"{1000 * sum(run.cpu_seconds.values()) / run.edits:.2f}"),
    *(
        (f"CPU ms an edit: {name}", lambda run, name=name: f"{1000 * run.cpu_seconds[name] / run.edits:.2f}")
        for name in ("worker", "mariadb", "redis", "endpoint")
    ),
)


def as_tables(comparisons: Sequence[Comparison], memory: Memory | None) -> RenderableType:
    parts: list[RenderableType] = [_table(comparisons)] if comparisons else []
    if memory is not None:
        verdict = "ok" if memory.is_ok else "not ok"
        parts.append(
            f"memory: a backlog of {memory.backlog:,} edits drained in {memory.seconds:.0f} s, peak of a child "
            f"{memory.child_peak_megabytes:.0f} MB, wanted ≤ {MOST_MEGABYTES:.0f} MB: {verdict}"
        )
    return Group(*parts)


def scoring_tables(sharing: Sequence[Sharing], transports: Sequence[Transport]) -> RenderableType:
    shared = Table(title="Askers of one score at once, and the calls they cost", title_justify="left")
    for title in ("askers an id", "answers", "calls", "shared", "answers a call", "ms in all"):
        shared.add_column(title, justify="right")
    for each in sharing:
        shared.add_row(
            *(f"{number:,}" for number in (each.askers, each.answers, each.calls, each.shared)),
            f"{each.answers_a_call:.1f}",
            f"{1000 * each.seconds:.0f}",
        )
    costs = Table(title="Processor time a request", title_justify="left")
    for title in ("transport", "ms", "of ours"):
        costs.add_column(title, justify="left" if title == "transport" else "right")
    for transport in transports:
        ratio = transport.milliseconds / transports[0].milliseconds
        costs.add_row(transport.name, f"{transport.milliseconds:.3f}", f"{ratio:.2f}")
    return Group(shared, costs)


def as_document(comparisons: Sequence[Comparison], memory: Memory | None) -> dict[str, Any]:
    return {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "columns": {each.column: _column(each) for each in comparisons},
        "memory": None if memory is None else dataclasses.asdict(memory) | {"ok": memory.is_ok},
    }


def _column(found: Comparison) -> dict[str, Any]:
    return {
        "column": found.column,
        "outpatrol": dataclasses.asdict(found.outpatrol),
        "baseline": dataclasses.asdict(found.baseline),
        "bare_edits_per_second": found.bare_edits_per_second,
        "ratio": found.ratio,
        "ratios": [pair.ratio for pair in found.pairs],
        "bare_ratio": found.bare_ratio,
        "ok": found.is_ok,
    }


def _table(comparisons: Sequence[Comparison]) -> Table:
    table = Table(title="Outpatrol, and beside it (→) one Celery task an edit", title_justify="left")
    table.add_column("")
    for comparison in comparisons:
        table.add_column(comparison.column, justify="right", no_wrap=True)
    for title, value in ROWS:
        table.add_row(title, *(f"{value(each.outpatrol)} → {value(each.baseline)}" for each in comparisons))
    verdicts = (
        f"{each.ratio:.1f} of ≥ {each.wanted_ratio:g} {'ok' if each.is_ok else 'not ok'}" for each in comparisons
    )
    table.add_section()
    table.add_row("ratio of edits/s, of what is wanted", *verdicts, style="bold")
    spreads = (f"{each.pairs[0].ratio:.1f} to {each.pairs[-1].ratio:.1f}" for each in comparisons)
    table.add_row("ratios of all rounds", *spreads)
    bare = (f"{each.bare_ratio:.2f} of {each.bare_edits_per_second:,.0f}" for each in comparisons)
    table.add_row("edits/s, of a loop that only asks", *bare)
    return table


def _replies(found: Replies) -> str:
    return f"{found.per_second:,.0f} ({found.microseconds:.0f} µs)"


def web_table(found: Web) -> Table:
    table = Table(title="The front door", title_justify="left")
    for title in ("what", "measured", "wanted"):
        table.add_column(title, justify="left" if title == "what" else "right")
    for row in (
        ("the framework's empty replies/s (processor time each)", _replies(found.bare), ""),
        ("replies/s of one cached score, asked for again", _replies(found.repeated), ""),
        ("ratio", f"{found.ratio:.2f}", f"≥ {WANTED_OF_WEB}"),
        ("replies/s of scores given before, in another form", _replies(found.remembered), ""),
        ("ratio of these", f"{found.remembered_ratio:.2f}", f"≥ {WANTED_OF_WEB}"),
        ("replies/s of scores asked for the first time", _replies(found.cached), ""),
        ("ratio of these", f"{found.cached_ratio:.2f}", f"≥ {WANTED_OF_WEB}"),
        ("replies/s of 50 revisions for the first time", _replies(found.many), ""),
        ("scores/s of these", f"{found.many_scores_per_second:,.0f}", f"≥ {WANTED_SCORES:,}"),
        ("p99 beside a drain, ms", f"{found.p99_milliseconds:.1f}", f"≤ {WANTED_MILLISECONDS}"),
        (
            "edits/s alone → beside requests",
            f"{mean(found.alone):,.0f} → {mean(found.beside):,.0f}",
            "",
        ),
        ("slower by", f"{found.slowdown:.1%}", f"≤ {WANTED_SLOWDOWN:.0%}"),
        (
            "processor time of all cores: the door's, the client's",
            f"{found.part_of_door:.1%}, {found.part_of_asking:.1%}",
            "",
        ),
    ):
        table.add_row(*row)
    return table
