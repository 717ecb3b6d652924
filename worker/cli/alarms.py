"""Alarms: what a monitor must know, in the same form from every command."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import typer
from rich.text import Text

from outbox import EDITS
from outbox.inspection import LaneStatus
from worker.bootstrap import Services
from worker.cli.console import complain, err, warn
from worker.domain.errors import RedisUnavailable
from worker.domain.visible import visible

#: The exit code of an alarm, which differs from that of a failed command.
ALARM = 3


def endpoint_alarms(services: Services) -> list[str]:
    """What the workers reported about endpoints and wikis' APIs, with address and cure; or that it is not known."""
    settings = services.settings
    asked = [(settings.endpoints_by_name[name].url, limits) for name, limits in services.limits.items()]
    asked += [(settings.wikis[wiki].api_url or wiki, limits) for wiki, limits in services.api_limits.items()]
    try:
        # Wikis may share an API.
        said = {url: limits.alarm() for url, limits in asked}
    except RedisUnavailable as error:
        warn(f"it is not known whether the endpoint answers: {error}")
        return []
    return [f"{url}: {alarm}" for url, alarm in said.items() if alarm is not None]


def late(lane: LaneStatus, most: timedelta, *, sink: str | None = None) -> list[str]:
    """An alarm if the oldest promise of *lane*, of *sink* if it is a sink's, waits for longer than *most*."""
    seconds = lane.oldest_age_seconds or 0
    if seconds <= most.total_seconds():
        return []
    if lane.lane == EDITS.name:
        return [f"the oldest edit has waited for {seconds:.0f} s; see whether workers run, and what their log says"]
    return [f"{sink}: the oldest event has waited for {seconds:.0f} s"]


def print_alarms(alarms: Iterable[str], errors: Mapping[str, str]) -> None:
    """Print *alarms*, and the *errors* of wikis that could not be looked at, a line each.

    Raises `typer.Exit` with the code of an alarm if there are any, or else with that of an error if there are any.
    """
    sentences = list(alarms)
    for sentence in sentences:
        err.print(Text.assemble(("alarm:", "bold red"), " ", visible(sentence)), soft_wrap=True)
    for sentence in errors.values():
        complain(sentence)
    if sentences or errors:
        raise typer.Exit(ALARM if sentences else 1)
