"""`outpatrol dead-letters …`: messages that were given up, and what to do with them."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from outbox import EDITS, Lane
from outbox.dead_letters import DeadLetter, list_dead_letters
from outbox.dead_letters import discard as discard_letters
from outbox.dead_letters import requeue as requeue_letters
from worker.bootstrap import LANES, Services
from worker.cli.console import (
    USAGE,
    command_services,
    documents_of_errors,
    end_with,
    fail,
    on_each,
    print_document,
    print_json,
    print_table,
    say,
    wikis_named,
)
from worker.cli.options import JsonOption, WikiOption, duration
from worker.cli.tables import table
from worker.config.wiki import Wiki

app = typer.Typer(help="See, requeue or discard what was given up.", no_args_is_help=True, rich_markup_mode="markdown")

#: How many letters requeue and discard handle in one transaction.
CHUNK = 500


#: The lanes by the names of their tables.
LANE_OF = {lane.name: lane for lane in LANES}


def _lane(name: str) -> Lane:
    if name not in LANE_OF:
        raise typer.BadParameter(f"{name!r} is no lane; there are {', '.join(LANE_OF)}")
    return LANE_OF[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which letters are selected: those that meet every condition that is given."""

    wikis: list[str]
    lane: Lane
    ids: list[int]
    reason: str | None
    older_than: timedelta | None

    def find(self, services: Services) -> dict[str, list[DeadLetter]]:
        """The letters of each wiki, the newest first, by wiki."""
        return {wiki.id: self.of(wiki) for wiki in wikis_named(services, self.wikis)}

    def of(self, wiki: Wiki, *, limit: int = 10**9) -> list[DeadLetter]:
        """The newest *limit* letters of *wiki*."""
        with wiki.database.reading() as connection:
            return list_dead_letters(
                connection, self.lane, ids=self.ids, reason=self.reason, older_than=self.older_than, limit=limit
            )


IdsArgument = Annotated[list[int] | None, typer.Argument(help="Ids, as `list` shows them.", show_default=False)]
LaneOption = Annotated[Lane, typer.Option("--lane", parser=_lane, metavar="LANE", help=f"One of {', '.join(LANE_OF)}.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Only letters with this reason, such as undecodable.")
]
AgeOption = Annotated[
    timedelta | None,
    typer.Option(
        "--older-than", parser=duration, metavar="AGE", help="Only letters dead for longer than this: 90s, 2h, 7d."
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="All letters, if none are chosen by id, reason or age.")]


@app.command("list")
def list_(
    wiki: WikiOption = None,
    lane: LaneOption = EDITS.name,  # type: ignore[assignment]  # typer parses the default, too
    reason: ReasonOption = None,
    older_than: AgeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many of each wiki, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the newest first.

    Example: `outpatrol dead-letters list --wiki frwiki --reason attempts_exhausted`
    """
    with command_services() as services:
        selection = Selection(wikis=wiki or [], lane=lane, ids=[], reason=reason, older_than=older_than)
        found, errors = on_each(wikis_named(services, selection.wikis), partial(selection.of, limit=limit))
    if as_json:
        documents = {name: [_document(letter) for letter in letters] for name, letters in found.items()}
        print_json(documents | documents_of_errors(errors))
    else:
        print_table(_table(found), errors)
    end_with(errors)


@app.command()
def show(
    wiki: Annotated[str, typer.Argument(help="The wiki's id.")],
    id: Annotated[int, typer.Argument(help="The letter's id.")],  # noqa: A002 - the argument's name is what users read
    lane: LaneOption = EDITS.name,  # type: ignore[assignment]  # typer parses the default, too
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter with its payload and its last error.

    Example: `outpatrol dead-letters show frwiki 12`
    """
    with command_services() as services:
        letters = Selection(wikis=[wiki], lane=lane, ids=[id], reason=None, older_than=None).find(services)[wiki]
    if not letters:
        see = f"outpatrol dead-letters list --wiki {wiki} --lane {lane.name}"
        fail(f"{wiki} has no dead letter {id} in {lane.name}; see: {see}")
    document = _document(letters[0])
    if as_json:
        print_json(document)
    else:
        print_document(document)


@app.command()
def requeue(
    ids: IdsArgument = None,
    wiki: WikiOption = None,
    lane: LaneOption = EDITS.name,  # type: ignore[assignment]  # typer parses the default, too
    reason: ReasonOption = None,
    older_than: AgeOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Queue dead letters again, with no attempts counted, and tell the workers.

    Example: `outpatrol dead-letters requeue --wiki frwiki --reason unknown_class`
    """
    selection = Selection(wikis=wiki or [], lane=lane, ids=ids or [], reason=reason, older_than=older_than)
    _end(requeue_letters, "requeued", selection, everything=everything, as_json=as_json)


@app.command()
def discard(
    ids: IdsArgument = None,
    wiki: WikiOption = None,
    lane: LaneOption = EDITS.name,  # type: ignore[assignment]  # typer parses the default, too
    reason: ReasonOption = None,
    older_than: AgeOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete dead letters for good. Their edits were announced, with errors, when they were given up.

    Example: `outpatrol dead-letters discard 12 13 --wiki frwiki`
    """
    selection = Selection(wikis=wiki or [], lane=lane, ids=ids or [], reason=reason, older_than=older_than)
    _end(discard_letters, "discarded", selection, everything=everything, as_json=as_json)


def _end(
    end: Callable[..., int],
    done: str,
    selection: Selection,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    if not (selection.ids or selection.reason or selection.older_than or everything):
        fail("nothing is selected; name ids, --reason or --older-than, or add --all", USAGE)
    if selection.ids and len(selection.wikis) != 1:
        fail("ids belong to one wiki; name it with --wiki", USAGE)
    with command_services() as services:
        lane, found = selection.lane, selection.find(services)
        counts = dict.fromkeys(found, 0)
        for name, letters in found.items():
            for ids in _chunks(letters):
                counts[name] += services.wiki(name).database.run(partial(end, lane=lane, ids=ids))
            if counts[name] and done == "requeued":
                services.doorbell.turn(name, lane.name)
    if as_json:
        print_json({done: counts})
    for name, count in counts.items():
        say(f"{name}: {count} {done}")


def _chunks(letters: list[DeadLetter]) -> Iterator[list[int]]:
    ids = [letter.id for letter in letters]
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _document(letter: DeadLetter) -> dict[str, Any]:
    """The letter as JSON; a payload that is JSON is shown as JSON, not as text."""
    document = dataclasses.asdict(letter)
    for moment in ("recorded_at", "died_at"):
        document[moment] = document[moment].replace(tzinfo=UTC).isoformat()
    with suppress(ValueError):
        document["payload"] = json.loads(letter.payload)
    return document


def _table(found: dict[str, list[DeadLetter]]) -> Table:
    rows = [
        (wiki, each.id, f"{each.died_at:%Y-%m-%d %H:%M:%S}", each.attempt, each.reason, each.error[:200])
        for wiki, letters in found.items()
        for each in letters
    ]
    return table(("wiki", "id", "died at (UTC)", "attempts", "reason", "error"), rows, numbers={"id", "attempts"})
