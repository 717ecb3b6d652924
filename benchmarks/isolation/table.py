"""The rows by name, and their results: as a table for people and as a document for programs."""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.isolation import endpoint_rows, other_rows
from benchmarks.isolation.bench import Bench, Result, Tell
from benchmarks.traffic import Latencies
from tests.services import DURABLE, mariadb_server

ROWS: Mapping[str, Callable[[Bench], Result]] = {
    "sinks": other_rows.sinks_hang,
    "wiki-hangs": endpoint_rows.wiki_hangs,
    "wiki-503": endpoint_rows.wiki_refused,
    "model": endpoint_rows.model_hangs,
    "endpoint": endpoint_rows.endpoint_hangs,
    "database": other_rows.database_frozen,
    "broken": other_rows.wikis_broken,
    "redis-silent": other_rows.redis_silent,
    "redis-hangs": other_rows.redis_hangs,
    "redis-gone": other_rows.redis_gone,
    "limit": endpoint_rows.limited,
    "errors": endpoint_rows.all_fail,
    "stream": other_rows.stream_unknown,
    "schemas": other_rows.schemas_lost,
    "on-demand": endpoint_rows.on_demand,
}


def measure_isolation(
    names: Sequence[str],
    tell: Tell,
    *,
    seconds: float,
    outage_seconds: float,
    wikis: int,
    share: float,
) -> Iterator[tuple[str, Result]]:
    """Measure the rows of those *names*, one after the other, each on workers of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="outpatrol-isolation-", ignore_cleanup_errors=True) as directory,
        mariadb_server(DURABLE) as mariadb_url,
    ):
        bench = Bench(
            directory=Path(directory),
            mariadb_url=mariadb_url,
            seconds=seconds,
            outage_seconds=outage_seconds,
            wikis=wikis,
            share=share,
            tell=tell,
        )
        for name in names:
            tell(name)
            yield name, ROWS[name](bench)


def isolation_table(results: Mapping[str, Result]) -> Table:
    table = Table(title="Seconds from commit to event, p50 / p95 / p99", title_justify="left", show_lines=True)
    for title in ("row", "situation", "undisturbed", "disturbed", "wanted", "besides", "ok"):
        table.add_column(title)
    for name, result in results.items():
        notes = ", ".join(f"{what.replace('_', ' ')} {_shown(value)}" for what, value in result.notes.items())
        undisturbed, disturbed = _percentiles(result.undisturbed), _percentiles(result.disturbed)
        verdict = "yes" if result.is_ok else "no"
        table.add_row(name, result.situation, undisturbed, disturbed, result.wanted, notes, verdict)
    return table


def isolation_document(results: Mapping[str, Result]) -> dict[str, Any]:
    """The value for JSON: infinite becomes null."""
    return {name: _finite(asdict(result)) for name, result in results.items()}


def _percentiles(found: Latencies | None) -> str:
    if found is None:
        return ""
    text = " / ".join(_shown(each) for each in (found.p50, found.p95, found.p99))
    return f"{text} ({found.missing} of {found.edits} never)" if found.missing else text


def _shown(value: float | bool | None) -> str:
    if isinstance(value, float):
        return "never" if math.isinf(value) else f"{value:.2f}"
    return str(value).lower() if isinstance(value, bool) else f"{value:,}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and math.isinf(value) else value
