"""`python -m benchmarks`: all columns and the memory check; `… memory`: that alone; `… scoring`: the scoring calls;
`… recentchanges`: filters and purges of a large wiki; `… sinks`: sinks; `… web`: the front door;
`… trickle`: single edits that come slowly; `… scale`: many wikis and long backlogs;
`… isolation`: what one hung part costs the others.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.columns import COLUMNS
from benchmarks.contenders import Tell
from benchmarks.crowded_wiki import Size
from benchmarks.isolation.table import ROWS, isolation_document, isolation_table, measure_isolation
from benchmarks.large_wiki import measure_large_wiki
from benchmarks.measuring import Announce, Comparison, compare
from benchmarks.memory import Memory, measure_memory
from benchmarks.publishing import publish
from benchmarks.report import as_document, as_tables, scoring_tables, web_table
from benchmarks.scale.bench import PARTS, Amount, Scale, measure_scale
from benchmarks.scale.own_transaction import measure_own_transaction
from benchmarks.scale.report import is_ok, scale_document, scale_table
from benchmarks.servers import MANY_TABLES, servers
from benchmarks.sharing import measure_sharing
from benchmarks.sinks import measure_publishing, measure_sinks, sink_tables
from benchmarks.transports import measure_transports
from benchmarks.trickle import measure_trickle, trickle_table
from benchmarks.web import measure_web
from benchmarks.wiki_report import wiki_document, wiki_tables
from tests.services import MARIADB_VARIABLE, ServerMissing
from worker.config.telemetry import configure_logging
from worker.domain.errors import CommandFailed

app = typer.Typer(add_completion=False)
err = Console(stderr=True)

Backlog = Annotated[int, typer.Option(min=1, help="Messages waiting in the memory check.")]
Keep = Annotated[
    bool, typer.Option("--keep", help=f"Leave the wikis on the server of {MARIADB_VARIABLE}, or find them there.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    edits: Annotated[int, typer.Option(min=10, help="Edits drained by our worker in each column.")] = 10_000,
    baseline_edits: Annotated[
        int, typer.Option(min=10, help="Edits of the baseline; a quarter as many at 50 ms.")
    ] = 2_000,
    columns: Annotated[str, typer.Option(help="Which ones, with commas between.")] = ",".join(COLUMNS),
    rounds: Annotated[
        int, typer.Option(min=1, help="How often the two take turns in each column; the middle ratio counts.")
    ] = 3,
    backlog: Backlog = 100_000,
    write: Annotated[
        Path | None, typer.Option(help="Write speed.json and its picture speed.svg there, if all columns are measured.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure drains of recorded edits beside one Celery task an edit, then the memory of a long backlog."""
    if context.invoked_subcommand:
        return
    chosen = [COLUMNS[name] for name in _chosen(columns, COLUMNS, "column")]
    with servers() as here, progress() as announce:
        comparisons = [compare(here, column, edits, baseline_edits, announce, rounds=rounds) for column in chosen]
        found = measure_memory(here, backlog, announce)
    if write is not None:
        if [column.name for column in chosen] == list(COLUMNS):
            publish(as_document(comparisons, found), write)
        else:
            err.print(f"benchmarks: nothing is written to {write}, for the picture is of all columns", markup=False)
    _show(comparisons, found, as_json=as_json)


@app.command()
def memory(backlog: Backlog = 100_000, as_json: AsJson = False) -> None:
    """Measure only the memory of a worker's child while it drains a long backlog."""
    with servers() as here, progress() as announce:
        found = measure_memory(here, backlog, announce)
    _show([], found, as_json=as_json)


@app.command()
def scoring(as_json: AsJson = False) -> None:
    """Measure how many calls many askers of one score cost, and the processor time of a request by each transport."""
    with servers() as here, progress() as announce:
        sharing = measure_sharing(here, announce)
        transports = measure_transports(here, announce)
    document = {"sharing": list(map(asdict, sharing)), "transports": list(map(asdict, transports))}
    _print(scoring_tables(sharing, transports), document, as_json=as_json)


@app.command()
def recentchanges(
    changes: Annotated[int, typer.Option(min=100, help="Recent changes, of 30 days.")] = 1_000_000,
    classifications: Annotated[
        int, typer.Option(min=1000, help="Scores; three tenths are of old versions and get purged.")
    ] = 10_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each page is read.")] = 21,
    quiet_seconds: Annotated[
        float, typer.Option(min=0.1, help="Seconds of edits without a purge, for comparison.")
    ] = 10,
    keep: Annotated[Path | None, typer.Option(help="Keep the wiki in this directory, or reuse the one there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the RecentChanges filters on a large wiki beside Extension:ORES' own statements, then purges."""
    size = Size(changes, classifications)
    with progress() as announce:
        found = measure_large_wiki(size, announce, rounds=rounds, quiet_seconds=quiet_seconds, kept=keep)
    _print(wiki_tables(found), wiki_document(found), as_json=as_json, width=200)
    if found.faults:
        raise typer.Exit(1)


@app.command()
def sinks(
    events: Annotated[
        int, typer.Option(min=1, help="Events in batches of each size; fewer where batches are small.")
    ] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often the two of a pair take turns.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Measure events/s of each sink beside the bare client that does the same, and of the whole way to a file."""
    with progress() as announce:
        measured = measure_sinks(events, announce, rounds=rounds)
        published = measure_publishing(events, announce)
    _print(
        sink_tables(measured, published),
        {"sinks": list(map(asdict, measured)), "publishing": list(map(asdict, published))},
        as_json=as_json,
        width=110,
    )


@app.command()
def web(
    requests: Annotated[int, typer.Option(min=10, help="Requests of one score in each round.")] = 5_000,
    edits: Annotated[int, typer.Option(min=10, help="Edits of each drain.")] = 20_000,
    as_json: AsJson = False,
) -> None:
    """Measure the front door: cached scores beside the framework's empty reply, and beside a drain."""
    with servers() as here, progress() as announce:
        found = measure_web(here, announce, requests=requests, edits=edits)
    _print(web_table(found), asdict(found), as_json=as_json)


@app.command()
def trickle(
    rate: Annotated[float, typer.Option(min=0.1, help="Edits a second.")] = 50,
    wikis: Annotated[int, typer.Option(min=1, help="Wikis on which they are saved in turn.")] = 7,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of edits that are counted.")] = 20,
    skew: Annotated[
        float | None,
        typer.Option(min=0, help="Wikis are chosen by chance, the n-th with a weight of 1/n to that power."),
    ] = None,
    keep: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Measure single edits that come slowly: processor time of each, and seconds from commit to event."""
    with servers() as here, progress() as announce:
        found = measure_trickle(here, announce, rate=rate, wikis=wikis, seconds=seconds, skew=skew, kept=keep)
    _print(trickle_table(found), asdict(found), as_json=as_json)
    if not found.is_ok:
        raise typer.Exit(1)


@app.command()
def scale(
    wikis: Annotated[int, typer.Option(min=1, help="Wikis on one MariaDB.")] = 300,
    parts: Annotated[str, typer.Option(help="What is measured, with commas between.")] = ",".join(PARTS),
    idle_seconds: Annotated[float, typer.Option(min=1, help="Seconds in which nothing happens.")] = 60,
    burst: Annotated[int, typer.Option(min=1, help="Wikis that get an edit at once.")] = 300,
    backlogs: Annotated[str, typer.Option(help="Messages waiting, with commas between.")] = "1000,10000,100000,1000000",
    saved: Annotated[int, typer.Option(min=2, help="Edits saved each way, and beside a drain.")] = 1000,
    table_open_cache: Annotated[
        int, typer.Option(min=10, help="As MariaDB's setting of that name; its default is 2,000.")
    ] = 16_000,
    keep: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Measure what many idle wikis cost, how soon an edit is seen, long backlogs, and the edit's own transaction."""
    chosen = _chosen(parts, PARTS, "part")
    amount = Amount(wikis=wikis, idle_seconds=idle_seconds, burst=burst, backlogs=_numbers(backlogs))
    found = Scale()
    if chosen != ["edit"]:
        with servers((*MANY_TABLES, f"--table-open-cache={table_open_cache}")) as here, progress() as announce:
            found = measure_scale(here, amount, chosen, announce, kept=keep)
    if "edit" in chosen:
        # What COMMIT waits for is the disk.
        with servers() as here, progress() as announce:
            found.edit = measure_own_transaction(here, saved, announce)
    _print(scale_table(found), scale_document(found), as_json=as_json, width=150)
    if not is_ok(found):
        raise typer.Exit(1)


@app.command()
def isolation(
    rows: Annotated[str, typer.Option(help="Which ones, with commas between.")] = ",".join(ROWS),
    seconds: Annotated[
        float, typer.Option(min=1, help="Seconds of single edits, before the fault and during it.")
    ] = 30,
    outage_seconds: Annotated[
        float, typer.Option(min=1, help="Seconds for which all replies are errors, or a stream is unknown.")
    ] = 240,
    wikis: Annotated[
        int, typer.Option(min=2, help="Number of wikis at the endpoint that hangs for all of them.")
    ] = 150,
    share: Annotated[float, typer.Option(min=0.001, max=1, help="Share of the backlog that the table names.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure what one hung part costs the others: from commit to event, without a fault and with it."""
    chosen = _chosen(rows, ROWS, "row")
    found = dict(
        measure_isolation(chosen, _tell, seconds=seconds, outage_seconds=outage_seconds, wikis=wikis, share=share)
    )
    _print(isolation_table(found), isolation_document(found), as_json=as_json, width=170)
    if not all(result.is_ok for result in found.values()):
        raise typer.Exit(1)


def _numbers(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} are no numbers; write 1000,10000", param_hint="--backlogs") from error


def _tell(what: str) -> None:
    """A line on standard error for what is being done."""
    err.print(f"isolation: {what}", markup=False, highlight=False)


@contextmanager
def progress() -> Iterator[Announce]:
    """A bar on standard error for what is being done."""
    with Progress(
        TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err
    ) as bars:
        current: TaskID | None = None

        def announce(what: str, of: int) -> Tell:
            nonlocal current
            if current is not None:
                bars.remove_task(current)
            current = task = bars.add_task(what, total=of)
            return lambda done: bars.update(task, completed=done)

        yield announce


def _chosen(text: str, known: Collection[str], what: str) -> list[str]:
    """The names in *text*, each of a *what* that is *known*."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is no {what}; there are {', '.join(known)}", param_hint=f"--{what}s")
    return names


def _print(table: RenderableType, document: object, *, as_json: bool, width: int = 0) -> None:
    """Print the *document*, or the *table* at least as wide as that."""
    if as_json:
        print(json.dumps(document, indent=2))
        return
    out = Console()
    out.width = max(out.width, width)
    out.print(table, highlight=False)


def _show(comparisons: list[Comparison], found: Memory, *, as_json: bool) -> None:
    """Print the results; speed is only reported, but memory that grows is an error."""
    _print(
        as_tables(comparisons, found),
        as_document(comparisons, found),
        as_json=as_json,
        width=34 + 18 * len(comparisons),
    )
    if not found.is_ok:
        raise typer.Exit(1)


if __name__ == "__main__":
    # Standard output is for the results.
    configure_logging("WARNING")
    try:
        app()
    except (CommandFailed, ServerMissing) as error:
        err.print(f"benchmarks: {error}", markup=False, highlight=False)
        raise SystemExit(1) from error
