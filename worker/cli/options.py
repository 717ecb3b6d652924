"""Options that several commands share, and how durations, times and places in a list are read."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from outbox.mediawiki.schema import mediawiki_timestamp, moment_of
from worker.scores.filters import Cursor

WikiOption = Annotated[list[str] | None, typer.Option("--wiki", help="Only this wiki; may be repeated.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]

AutopatrolledGroupOption = Annotated[
    list[str] | None,
    typer.Option(
        "--autopatrolled-group",
        help="Members of this group are autopatrolled too, where the stream does not say; may be repeated. "
        "Added to autopatrolled_groups of each wiki's settings.",
    ),
]

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
#: Days have fewer digits, so that no time is before the year 1.
DURATION = r"([0-9]{1,6}(?=[smh])|[0-9]{1,5}(?=d))([smhd])"
#: A day, with or without a time of day; and the fourteen digits of the tables.
MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?Z?|[0-9]{14}"


def duration(text: str) -> timedelta:
    """Read "90s", "15m", "2h" or "7d"."""
    match = re.fullmatch(DURATION, text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration; write 90s, 15m, 2h or 7d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


MaxLagOption = Annotated[
    timedelta,
    typer.Option(parser=duration, metavar="AGE", help="An alarm if an edit or event has waited for longer than this."),
]


def since_when(text: str) -> str:
    """Read a time in UTC, or a duration before now; returned as the timestamp columns have it."""
    if re.fullmatch(DURATION, text):
        return mediawiki_timestamp(datetime.now(UTC) - duration(text))
    digits = re.sub("[^0-9]", "", text).ljust(14, "0")
    if re.fullmatch(MOMENT, text) is None or not _is_moment(digits):
        raise typer.BadParameter(
            f"{text!r} is not a time; write 7d, 2h, 2026-11-01, 2026-11-01T12:00 or 20261101120000"
        )
    return digits


def cursor(text: str) -> Cursor:
    """Read a `Cursor` from the text that `str` makes of it."""
    match = re.fullmatch(r"([0-9]{14})/([0-9]{1,19})", text)
    if match is None or not _is_moment(match[1]):
        raise typer.BadParameter(
            f"{text!r} is not a place in the list; copy what was printed after --before, or `next` of the JSON"
        )
    return Cursor(match[1], int(match[2]))


def _is_moment(digits: str) -> bool:
    try:
        moment_of(digits)
    except ValueError:
        return False
    return True
