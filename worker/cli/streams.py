"""`outpatrol streams` and `outpatrol reconcile`: whether the events of all edits are sent."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from outbox import EDITS
from outbox.inspection import LaneStatus, inspect_lane
from worker.bootstrap import Services
from worker.cli.alarms import endpoint_alarms, late, print_alarms
from worker.cli.console import (
    command_services,
    documents_of_errors,
    fail,
    on_each,
    print_json,
    print_table,
    progress,
    say,
    wikis_named,
)
from worker.cli.options import JsonOption, MaxLagOption, WikiOption, duration
from worker.cli.tables import table
from worker.config.settings_sections import EventsSettings
from worker.config.wiki import Wiki
from worker.events.ledger import Traffic, traffic
from worker.upkeep.reconciling import reconcile as reconcile_wiki


@dataclasses.dataclass(frozen=True, slots=True)
class _Wiki:
    """The events of one wiki: edits that wait, lanes of sinks, streams, and what was sent to each stream."""

    edits: LaneStatus
    lanes: dict[str, LaneStatus]
    streams: set[str]
    traffic: list[Traffic]

    def alarms(self, silence: timedelta, lag: timedelta) -> list[str]:
        waiting = late(self.edits, lag)
        for sink, lane in self.lanes.items():
            waiting += late(lane, lag, sink=sink)
        last = {(each.sink, each.stream): each.silent_seconds for each in self.traffic}
        silent = [
            f"{sink}: no event on {stream} for {'a day' if seconds is None else f'{seconds:.0f} s'}"
            for sink in self.lanes
            for stream in sorted(self.streams)
            if (seconds := last.get((sink, stream))) is None or seconds > silence.total_seconds()
        ]
        return waiting + silent


def streams(
    wiki: WikiOption = None,
    max_silence: Annotated[
        timedelta,
        typer.Option(
            parser=duration, metavar="AGE", help="An alarm if a stream has had no event for longer than this."
        ),
    ] = "1h",  # type: ignore[assignment]  # typer parses the default, too
    max_lag: MaxLagOption = "5m",  # type: ignore[assignment]
    as_json: JsonOption = False,
) -> None:
    """Show what was sent to each stream lately and what waits.

    Silence, lag (of edits too), and an endpoint or a wiki's API that answers nobody or refuses are alarms: exit code 3.

    Example: `outpatrol streams --max-silence 15m --max-lag 2m`
    """
    with command_services() as services:
        found, errors = on_each(wikis_named(services, wiki), partial(_look, services))
        of_endpoint = endpoint_alarms(services)
    alarms = {name: here.alarms(max_silence, max_lag) for name, here in found.items()}
    if as_json:
        documents = {name: _document(here) | {"alarms": alarms[name] + of_endpoint} for name, here in found.items()}
        print_json(documents | documents_of_errors(errors))
    else:
        print_table(_table(found), errors)
    of_wikis = [f"{name}: {sentence}" for name, sentences in alarms.items() for sentence in sentences]
    print_alarms(of_wikis + of_endpoint, errors)


def reconcile(
    since: Annotated[
        timedelta, typer.Option(parser=duration, metavar="AGE", help="How far back to compare: 90s, 2h, 7d.")
    ] = "1d",  # type: ignore[assignment]
    wiki: WikiOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what is missing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare recent edits with the events that were sent, and queue again every edit without an event.

    Example: `outpatrol reconcile --since 2d --dry-run`
    """
    with command_services() as services:
        days = services.settings.events.ledger_days
        if since > timedelta(days=days):
            fail(f"the ledger reaches back {days:g} days only; choose a shorter --since, or raise events.ledger_days")
        result = {}
        for each in wikis_named(services, wiki):
            compared, missing = _reconcile(services, each, datetime.now(UTC) - since, dry_run=dry_run)
            result[each.id] = {"compared": compared, "missing": missing}
            what = "are missing" if dry_run else "were missing and are queued again"
            say(f"{each.id}: {compared:,} edits compared, {len(missing):,} {what}")
            if missing and not dry_run:
                services.doorbell.turn(each.id, EDITS.name)
    if as_json:
        print_json(result)


def _reconcile(services: Services, wiki: Wiki, since: datetime, *, dry_run: bool) -> tuple[int, list[int]]:
    compared, missing = 0, list[int]()
    with progress(is_transient=True) as shown:
        task = shown.add_task(f"comparing {wiki.id}", total=None)
        for step in reconcile_wiki(wiki, services.event_lanes, since, dry_run=dry_run):
            compared += step.compared
            missing += step.missing
            shown.update(task, completed=compared)
    return compared, missing


def _look(services: Services, wiki: Wiki) -> _Wiki:
    with wiki.database.reading() as connection:
        edits = inspect_lane(connection, EDITS)
        lanes = {sink: inspect_lane(connection, lane) for sink, lane in services.event_lanes.items()}
        heard = [each for each in traffic(connection) if each.sink in lanes]
    return _Wiki(edits, lanes, _streams_of(wiki, services.settings.events), heard)


def _streams_of(wiki: Wiki, events: EventsSettings) -> set[str]:
    """The streams that should get events."""
    predictions = {stream for model, stream in events.prediction_streams.items() if model in wiki.models}
    if events.stream_of_model is None:
        return {events.stream} | predictions
    return {f"{events.stream_of_model}{model}" for model in wiki.models} | predictions


def _document(here: _Wiki) -> dict[str, Any]:
    return {
        "edits": dataclasses.asdict(here.edits),
        "sinks": {sink: dataclasses.asdict(lane) for sink, lane in here.lanes.items()},
        "streams": [dataclasses.asdict(each) for each in here.traffic],
    }


def _table(found: dict[str, _Wiki]) -> Table:
    columns = ("wiki", "sink", "stream", "last min", "last h", "silent", "waiting", "oldest")
    rows = [(wiki, *row) for wiki, here in found.items() for row in _rows(here)]
    return table(columns, rows, numbers=columns[3:])


def _rows(here: _Wiki) -> Iterator[tuple[str | None, ...]]:
    for sink, lane in here.lanes.items():
        waits = None if lane.oldest_age_seconds is None else f"{lane.oldest_age_seconds:.0f} s"
        heard = {each.stream: each for each in here.traffic if each.sink == sink}
        for stream in sorted(here.streams | heard.keys()):
            counts = ("0", "0", "> 1 day")
            if each := heard.get(stream):
                counts = (f"{each.last_minute:,}", f"{each.last_hour:,}", f"{each.silent_seconds:.0f} s")
            yield (sink, stream, *counts, f"{lane.pending:,}", waits)
