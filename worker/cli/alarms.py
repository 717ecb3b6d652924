"""Alarms: what a monitor must hear of, told in the same way by every command that knows of some."""

from collections.abc import Iterable

import typer
from rich.text import Text

from worker.bootstrap import Services
from worker.cli.console import err, warn
from worker.domain.errors import RedisUnavailable
from worker.domain.visible import visible

#: Exit code of an alarm, to be told from that of a command that could not be carried out.
ALARM = 3


def endpoint_alarms(services: Services) -> list[str]:
    """What the workers told of the scoring endpoints, with address, status and cure; a note where that is not known."""
    try:
        said = {name: limits.alarm() for name, limits in services.limits.items()}
    except RedisUnavailable as error:
        warn(f"whether the endpoint serves is not known: {error}")
        return []
    urls = {name: endpoint.url for name, endpoint in services.settings.endpoints_by_name.items()}
    return [f"{urls[name]}: {alarm}" for name, alarm in said.items() if alarm is not None]


def tell(alarms: Iterable[str]) -> None:
    """Print *alarms*, a line each; raises `typer.Exit` with the code of an alarm if there are any."""
    sentences = list(alarms)
    for sentence in sentences:
        err.print(Text.assemble(("alarm:", "bold red"), " ", visible(sentence)), soft_wrap=True)
    if sentences:
        raise typer.Exit(ALARM)
