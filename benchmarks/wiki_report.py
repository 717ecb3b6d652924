"""What was measured on a large wiki, as tables for people and as one JSON object for programs."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmarks.large_wiki import LargeWiki
from benchmarks.plans import as_chain
from benchmarks.purging import Latency, Phase
from benchmarks.recentchanges import PageCost


def wiki_tables(found: LargeWiki) -> RenderableType:
    return Group(_pages(found), _plans(found), _view(found), _purges(found), *_verdict(found))


def wiki_document(found: LargeWiki) -> dict[str, Any]:
    return {
        "size": asdict(found.size),
        "choices": {
            each.choice: {
                "pages": {name: asdict(page) | {"ratio": page.ratio} for name, page in each.pages.items()},
                "plan": [dict(row) for row in each.plan],
            }
            for each in found.choices
        },
        "view": [asdict(each) for each in found.view],
        "purges": [asdict(each) | {"rows_per_second": _rate(each)} for each in found.purges],
        "faults": found.faults,
    }


def _pages(found: LargeWiki) -> Table:
    names = list(dict.fromkeys(name for each in found.choices for name in each.pages))
    title = "Pages of 50, ms: Outpatrol's statement → Extension:ORES' (ratio), rows the server reads for them"
    table = _table(title, ["filter", *names, "rows read, first", "rows read, tenth", "ours in all, first"])
    for each in found.choices:
        first, tenth = each.pages["first"], each.pages.get("tenth")
        table.add_row(
            each.choice,
            *(_page(each.pages.get(name)) for name in names),
            *(_read(page) for page in (first, tenth)),
            f"{first.ours_in_all:.1f}",
        )
    return table


def _page(page: PageCost | None) -> str:
    if page is None:
        return "–"
    short = "" if page.rows == 50 else f", {page.rows} rows"
    return f"{page.ours.milliseconds:,.1f} → {page.theirs.milliseconds:,.1f} ({page.ratio:.2f}{short})"


def _read(page: PageCost | None) -> str:
    return "–" if page is None else f"{page.ours.rows_read:,} → {page.theirs.rows_read:,}"


def _plans(found: LargeWiki) -> Table:
    table = _table("Plans: what is read by which key", ["statement", "plan"], justify="left")
    for each in found.choices:
        table.add_row(each.choice, as_chain(each.plan))
    for page in found.view:
        table.add_row(f"view: {page.name}", as_chain(page.plan))
    return table


def _view(found: LargeWiki) -> Table:
    table = _table("The view outpatrol_recent_change, newest 50 of a week", ["page", "rows", "ms"])
    for each in found.view:
        table.add_row(each.name, f"{each.rows}", f"{each.milliseconds:,.1f}")
    return table


def _purges(found: LargeWiki) -> Table:
    titles = [
        "meanwhile",
        "rows/s",
        "rows",
        "edits",
        "saving p50 / p99 / longest, ms",
        "storing",
        "deadlocks",
        "errors",
    ]
    table = _table("Edits saved and scored while a version is purged", titles)
    for each in found.purges:
        table.add_row(
            each.name,
            f"{_rate(each):,.0f}" if each.rows else "–",
            f"{each.rows:,}",
            f"{each.edits:,}",
            _latency(each.saving),
            _latency(each.storing),
            f"{each.deadlocks}",
            f"{sum(each.errors.values())}",
        )
    return table


def _verdict(found: LargeWiki) -> Iterable[str]:
    yield from (f"not ok: {fault}" for fault in found.faults)
    slower = [
        f"{each.choice} ({name})" for each in found.choices for name, page in each.pages.items() if page.ratio > 1
    ]
    yield f"slower than the extension: {', '.join(slower) or 'none'}"


def _rate(phase: Phase) -> float:
    return phase.rows / phase.seconds


def _latency(latency: Latency) -> str:
    return f"{latency.p50:.1f} / {latency.p99:.1f} / {latency.longest:.0f}"


def _table(title: str, columns: Iterable[str], justify: Any = "right") -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify=justify if number else "left")
    return table
