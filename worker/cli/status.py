"""`outpatrol status`: what is promised and not yet kept."""

import dataclasses
import time
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from outbox.inspection import LaneStatus, inspect_lane
from worker.bootstrap import LANES, Services
from worker.cli.console import command_services, err, out, print_json
from worker.cli.options import WikiOption

#: An oldest promise above these ages, in seconds, is shown in yellow and in red.
LATE, VERY_LATE = 60, 600


def status(
    wiki: WikiOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew until interrupted.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks with --watch.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a look on standard output.")] = False,
) -> None:
    """Show the messages of every wiki and lane by state, and the age of the oldest promise not kept.

    Example: `outpatrol status --watch`
    """
    with command_services() as services:
        names = [services.wiki(name).id for name in wiki or sorted(services.wikis)]
        if as_json:
            _each_look(lambda: print_json(_as_document(lanes_by_wiki(services, names))), watch, interval)
        elif watch:
            with Live(_table(lanes_by_wiki(services, names)), console=out, auto_refresh=False) as live:
                _each_look(lambda: live.update(_table(lanes_by_wiki(services, names)), refresh=True), watch, interval)
        else:
            out.print(_table(lanes_by_wiki(services, names)))


def lanes_by_wiki(services: Services, wikis: list[str]) -> dict[str, list[LaneStatus]]:
    """The status of every lane of *wikis*: one short statement each.

    Raises:
        DatabaseUnavailable, DatabaseNotMigrated: a wiki can't be asked.
    """
    found = {}
    for name in wikis:
        with services.wiki(name).database.reading() as connection:
            found[name] = [inspect_lane(connection, lane) for lane in LANES]
    return found


def _each_look(look: Any, watch: bool, interval: float) -> None:
    try:
        look()
        while watch:
            time.sleep(interval)
            look()
    except KeyboardInterrupt:
        err.print("stopped watching")


def _as_document(found: dict[str, list[LaneStatus]]) -> dict[str, Any]:
    return {wiki: {lane.lane: dataclasses.asdict(lane) for lane in lanes} for wiki, lanes in found.items()}


def _table(found: dict[str, list[LaneStatus]]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("wiki")
    table.add_column("lane")
    for name in ("ready", "claimed", "waiting", "dead", "oldest"):
        table.add_column(name, justify="right")
    for wiki, lanes in found.items():
        for lane in lanes:
            dead = f"[red]{lane.dead}[/]" if lane.dead else "0"
            table.add_row(
                wiki,
                lane.lane,
                str(lane.ready),
                str(lane.claimed),
                str(lane.waiting),
                dead,
                _age(lane.oldest_age_seconds),
            )
    return table


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    shown = f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
    if seconds >= VERY_LATE:
        return f"[red]{shown}[/]"
    return f"[yellow]{shown}[/]" if seconds >= LATE else shown
