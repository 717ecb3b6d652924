"""`outpatrol status`: the messages that are not settled yet."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outbox.inspection import LaneStatus, inspect_lane
from worker.bootstrap import LANES, Services
from worker.cli.alarms import endpoint_alarms, tell
from worker.cli.console import command_services, out, print_json, say, wikis_named
from worker.cli.options import WikiOption
from worker.cli.tables import from_elsewhere, seconds_shown, table
from worker.config.wiki import Wiki

#: The age of an oldest message above these, in seconds, is shown in yellow and in red.
LATE, VERY_LATE = 60, 600


def status(
    wiki: WikiOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until interrupted.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two refreshes with --watch.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each look.")] = False,
) -> None:
    """Show the messages of every wiki and lane by state, and the age of the oldest one that is not settled.

    An endpoint that serves nobody, or refuses, is an alarm, and ends with exit code 3.

    Example: `outpatrol status --watch`
    """
    with command_services() as services:
        wikis = wikis_named(services, wiki)
        if as_json:
            _each_look(lambda: print_json(_as_document(lanes_by_wiki(wikis))), watch, interval)
        elif watch:
            with Live(_picture(services, wikis), console=out, auto_refresh=False) as live:
                _each_look(lambda: live.update(_picture(services, wikis), refresh=True), watch, interval)
        else:
            out.print(_table(lanes_by_wiki(wikis)))
        tell(endpoint_alarms(services))


def lanes_by_wiki(wikis: Iterable[Wiki]) -> dict[str, list[LaneStatus]]:
    """The status of every lane of *wikis*: one short statement each.

    Raises:
        DatabaseUnavailable, DatabaseNotMigrated: a wiki can't be asked.
    """
    found = {}
    for wiki in wikis:
        with wiki.database.reading() as connection:
            found[wiki.id] = [inspect_lane(connection, lane) for lane in LANES]
    return found


def _each_look(look: Callable[[], None], watch: bool, interval: float) -> None:
    try:
        look()
        while watch:
            time.sleep(interval)
            look()
    except KeyboardInterrupt:
        say("stopped watching")


def _as_document(found: dict[str, list[LaneStatus]]) -> dict[str, Any]:
    return {wiki: {lane.lane: dataclasses.asdict(lane) for lane in lanes} for wiki, lanes in found.items()}


def _picture(services: Services, wikis: Sequence[Wiki]) -> Group:
    """One look while watching: the alarms stand below the table."""
    alarms = [from_elsewhere(f"alarm: {sentence}", "bold red") for sentence in endpoint_alarms(services)]
    return Group(_table(lanes_by_wiki(wikis)), *alarms)


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
