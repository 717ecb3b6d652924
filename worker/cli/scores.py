"""`outpatrol scores …`: removing rows that no reader sees, and filling in missing ones."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from worker.bootstrap import Services
from worker.cli.console import (
    USAGE,
    command_services,
    fail,
    out,
    print_json,
    progress,
    say,
    warn_if_redis_is_silent,
    wikis_named,
)
from worker.cli.options import JsonOption, WikiOption
from worker.cli.tables import table
from worker.config.wiki import Wiki
from worker.domain.errors import CommandFailed
from worker.scores.model_versions import StoredModel
from worker.scores.own_tables import BACKFILL
from worker.upkeep.populating import Populated
from worker.upkeep.populating import populate as populate_wiki
from worker.upkeep.purging import Purged, count_versions, doomed_versions, purge_left_behind, purge_versions

app = typer.Typer(
    help="Remove scores that no reader sees, and fill in those that are missing.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

#: How many rows one statement may name by their ids.
MOST_IN_A_BATCH = 10_000
NUMBER = 1000
#: Exit code of a command that Ctrl-C ended.
INTERRUPTED = 130

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count only, change nothing.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """The rows to remove on one wiki, and how many have been removed so far."""

    wiki: Wiki
    #: The versions whose rows may be removed.
    versions: Sequence[StoredModel]
    #: How many rows each version has, of those to be looked at.
    rows: Mapping[StoredModel, int]
    #: Rows removed so far, by the version's id.
    removed: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@app.command()
def purge(
    wiki: WikiOption = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="Only this model; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All versions, the current ones too.")] = False,
    old: Annotated[
        bool, typer.Option("--old", help="Rows of revisions that have left recentchanges, of all versions.")
    ] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_IN_A_BATCH,
            help="Rows in one transaction; by default upkeep.purge_batch_size.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --all removes current scores.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove the rows of all versions that are not current, in short transactions. Can be interrupted at any time.

    With --old, rows of models with `keep_forever` stay as long as the wiki has the revision.

    Example: `outpatrol scores purge --wiki frwiki --model damaging --dry-run`
    """
    if everything and old:
        fail("--all and --old can't be combined; --all removes what --old would, and more", USAGE)
    with command_services() as services:
        # All are planned before the first row is removed, so that a misspelt name changes nothing.
        purges = [plan_purge(each, model or [], everything=everything, old=old) for each in wikis_named(services, wiki)]
        if everything and not (yes or dry_run):
            total = sum(each.total for each in purges)
            names = ", ".join(each.wiki.id for each in purges)
            typer.confirm(f"Remove {total} rows of {names}, current scores among them?", abort=True, err=True)
        is_done = False
        with suppress(KeyboardInterrupt), progress() as shown:
            for each in purges:
                task = shown.add_task(f"{each.wiki.id}: rows", total=each.total)
                size = batch_size or services.settings.upkeep.purge_batch_size
                for looked_at, removed in purge_steps(each, model or [], old=old, batch_size=size, dry_run=dry_run):
                    each.removed.update({step.model.id: step.rows for step in removed})
                    shown.advance(task, looked_at)
            is_done = True
    if as_json:
        print_json({each.wiki.id: _document(each) for each in purges})
    else:
        out.print(_table(purges, "to remove" if dry_run else "removed"))
    if not is_done:
        fail(
            "interrupted; the rows counted above are removed, and the same command continues with the rest", INTERRUPTED
        )


@app.command()
def populate(
    wiki: WikiOption = None,
    number: Annotated[
        int | None,
        typer.Option(
            "--number",
            "-n",
            min=1,
            help=f"At most this many of each wiki, the newest; by default {NUMBER}.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All edits that are in recentchanges.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST_IN_A_BATCH, help="Edits in one transaction.")] = 1000,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Queue the newest edits in recentchanges that lack a model's score, and tell the workers.

    What is queued survives a crash, even of this command. Nothing is announced again.

    Example: `outpatrol scores populate --wiki frwiki --number 5000`
    """
    if everything and number is not None:
        fail("--all and --number can't be combined; choose one", USAGE)
    most = None if everything else number or NUMBER
    found: dict[str, Counter[str]] = {}
    is_done = False
    with command_services() as services:
        wikis = wikis_named(services, wiki)
        with suppress(KeyboardInterrupt), progress() as shown:
            for each in wikis:
                task = shown.add_task(f"{each.id}: edits to score", total=most)
                counts = found[each.id] = Counter(looked_at=0, promised=0)
                for step in promise(services, each, number=most, batch_size=batch_size, dry_run=dry_run):
                    counts.update(asdict(step))
                    shown.advance(task, step.promised)
            is_done = True
    if as_json:
        print_json(found)
    for name, counts in found.items():
        end = "would be queued" if dry_run else "queued"
        say(f"{name}: {counts['looked_at']} edits looked at, {counts['promised']} {end}")
    warn_if_redis_is_silent(services, "their next poll finds the edits")
    if not is_done:
        fail("interrupted; what is queued stays queued, and the same command continues with the rest", INTERRUPTED)


def plan_purge(wiki: Wiki, names: Sequence[str], *, everything: bool, old: bool) -> Purge:
    """Plan a purge of *wiki*; removes nothing.

    Raises:
        CommandFailed: the wiki never had a model of one of those *names*.
    """
    there = doomed_versions(wiki.database, current_too=True)
    known = {version.name for version in there}
    for name in names:
        if name not in known:
            there_are = f"there are {', '.join(sorted(known))}" if known else "it has none yet"
            raise CommandFailed(f"{wiki.id} never had a model {name!r}; {there_are}; nothing was removed")
    versions = doomed_versions(wiki.database, names, current_too=everything or old)
    # All rows are looked at to find those of old revisions.
    rows = count_versions(wiki.database, there if old else versions)
    return Purge(wiki=wiki, versions=versions, rows=rows)


def purge_steps(
    purge: Purge, names: Sequence[str], *, old: bool, batch_size: int, dry_run: bool
) -> Iterator[tuple[int, Sequence[Purged]]]:
    """Carry out *purge*; yields how many rows each step looked at, and what it removed or would remove."""
    database = purge.wiki.database
    if old:
        for step in purge_left_behind(purge.wiki, names, batch_size=batch_size, dry_run=dry_run):
            yield step.looked_at, step.removed
    elif dry_run:
        for version, rows in purge.rows.items():
            yield rows, [Purged(model=version, rows=rows)]
    else:
        for purged in purge_versions(database, purge.versions, batch_size):
            yield purged.rows, [purged]


def promise(
    services: Services, wiki: Wiki, *, number: int | None, batch_size: int, dry_run: bool
) -> Iterator[Populated]:
    """Populate *wiki*, ringing for each step that queued edits; yields each step."""
    for step in populate_wiki(wiki, number=number, batch_size=batch_size, dry_run=dry_run):
        if step.promised and not dry_run:
            services.doorbell.turn(wiki.id, BACKFILL.name)
        yield step


def _document(purge: Purge) -> list[dict[str, Any]]:
    return [
        {
            "model": version.name,
            "version": version.version,
            "is_current": version.is_current,
            "rows": purge.removed[version.id],
        }
        for version in purge.versions
    ]


def _table(purges: Sequence[Purge], done: str) -> Table:
    states = {True: Text("current", "green"), False: "old"}
    rows = [
        (purge.wiki.id, each.name, each.version, states[each.is_current], purge.removed[each.id])
        for purge in purges
        for each in purge.versions
    ]
    return table(("wiki", "model", "version", "", f"rows {done}"), rows, numbers={f"rows {done}"})
