"""`outpatrol status`: the messages that are not settled yet."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outbox import EDITS
from outbox.inspection import LaneStatus, inspect_lane
from worker.bootstrap import LANES, Services
from worker.cli.alarms import endpoint_alarms, late, print_alarms
from worker.cli.console import (
    command_services,
    documents_of_errors,
    on_each,
    out,
    print_json,
    print_table,
    say,
    wikis_named,
)
from worker.cli.options import MaxLagOption, WikiOption
from worker.cli.tables import from_elsewhere, seconds_shown, table, with_errors
from worker.config.wiki import Wiki
from worker.upkeep.attaching import not_attached

#: Ages of the oldest message, in seconds, above which it is shown in yellow and in red.
LATE, VERY_LATE = 60, 600


@dataclasses.dataclass(frozen=True, slots=True)
class _Look:
    """The result of one look: the lanes of each wiki, the errors of wikis that failed, and alarms for a monitor."""

    lanes: dict[str, list[LaneStatus]]
    errors: dict[str, str]
    alarms: list[str]


def status(
    wiki: WikiOption = None,
    max_lag: MaxLagOption = "5m",  # type: ignore[assignment]  # typer parses the default, too
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until interrupted.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two refreshes with --watch.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each look.")] = False,
) -> None:
    """Show the messages of every wiki and lane by state, and the age of the oldest one that is not settled.

    An edit or event that waits too long, an endpoint or a wiki's API that refuses, and an attached wiki whose edits
    nothing promises are alarms: exit code 3.

    Example: `outpatrol status --watch`
    """
    with command_services() as services:
        look = partial(_look, services, wikis_named(services, wiki), max_lag)
        if as_json:
            last = _each_look(look, lambda found: print_json(_as_document(found)), watch, interval)
        else:
            with Live(console=out, auto_refresh=False) if watch else nullcontext() as live:
                show = partial(_refresh, live) if live else _print
                last = _each_look(look, show, watch, interval)
    print_alarms(last.alarms, last.errors)


def _look(services: Services, wikis: Sequence[Wiki], max_lag: timedelta) -> _Look:
    """Look at every lane that is served, or still holds something: one short statement each."""

    def lanes_of(wiki: Wiki) -> list[LaneStatus]:
        with wiki.database.reading() as connection:
            lanes = [inspect_lane(connection, lane) for lane in LANES]
        return [lane for lane in lanes if lane.lane in services.consumers or lane.pending or lane.dead]

    found, errors = on_each(wikis, lanes_of)
    triggers, others = on_each([wiki for wiki in wikis if wiki.id in found], not_attached)
    sinks = {EDITS.name: EDITS.name} | {lane.name: sink for sink, lane in services.event_lanes.items()}
    alarms = [
        f"{wiki}: {sentence}"
        for wiki, lanes in found.items()
        for lane in lanes
        if lane.lane in sinks
        for sentence in late(lane, max_lag, sink=sinks[lane.lane])
    ]
    alarms += [f"{wiki}: {sentence}" for wiki, sentence in triggers.items() if sentence]
    return _Look(found, errors | others, alarms + endpoint_alarms(services))


def _each_look(look: Callable[[], _Look], show: Callable[[_Look], None], watch: bool, interval: float) -> _Look:
    """Look and show, again and again if somebody watches; returns the last look."""
    last = look()
    try:
        show(last)
        while watch:
            time.sleep(interval)
            last = look()
            show(last)
    except KeyboardInterrupt:
        say("stopped watching")
    return last


def _as_document(found: _Look) -> dict[str, Any]:
    lanes = {wiki: {lane.lane: dataclasses.asdict(lane) for lane in lanes} for wiki, lanes in found.lanes.items()}
    return lanes | documents_of_errors(found.errors)


def _print(found: _Look) -> None:
    print_table(_table(found.lanes), found.errors)


def _refresh(live: Live, found: _Look) -> None:
    """One look while watching: the alarms stand below the table."""
    alarms = [from_elsewhere(f"alarm: {sentence}", "bold red") for sentence in found.alarms]
    live.update(Group(with_errors(_table(found.lanes), found.errors), *alarms), refresh=True)


def _table(found: dict[str, list[LaneStatus]]) -> Table:
    columns = ("wiki", "lane", "ready", "claimed", "waiting", "dead", "oldest")
    rows = [(wiki, *_row_of(lane)) for wiki, lanes in found.items() for lane in lanes]
    return table(columns, rows, numbers=columns[2:])


def _row_of(lane: LaneStatus) -> tuple[object, ...]:
    dead = Text(str(lane.dead), "red" if lane.dead else "")
    return lane.lane, lane.ready, lane.claimed, lane.waiting, dead, _age(lane.oldest_age_seconds)


def _age(seconds: float | None) -> Text | None:
    if seconds is None:
        return None
    return Text(seconds_shown(seconds), "red" if seconds >= VERY_LATE else "yellow" if seconds >= LATE else "")
