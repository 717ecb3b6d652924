"""`outpatrol models …`: the versions of the scoring models, and looking for new ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.table import Table

from outbox.errors import OutboxError
from worker.bootstrap import Services
from worker.cli.console import command_services, err, fail, out, print_json
from worker.cli.options import JsonOption, WikiOption
from worker.config.wiki import Wiki
from worker.domain.errors import WorkerError
from worker.scores.candidates import Finding, candidates
from worker.scores.model_versions import all_models
from worker.upkeep.purging import count_versions
from worker.upkeep.versions import ModelCheck, check_model_versions, follow_up, resolve_formulas

app = typer.Typer(
    help="See the versions of the scoring models, and look for new ones.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


COLOURS = {Finding.UNCHANGED: "green", Finding.CHANGED: "bold green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A version of a model: a row of `ores_model`, one that may become current, or none at all yet."""

    model: str
    version: str | None
    id: int | None = None
    is_current: bool = False
    #: Rows of `ores_classification`.
    rows: int = 0
    #: For how long it has been a candidate, if it is one.
    candidate_seconds: float | None = None


@dataclass(slots=True, kw_only=True)
class Looked:
    """What looking for new versions came to on one wiki."""

    checks: list[ModelCheck] = field(default_factory=list)
    #: Edits to be scored again.
    promised: int = 0
    #: Formulas of thresholds that the endpoint was asked for.
    formulas: int = 0
    #: Why it was left unfinished, if it was.
    error: str | None = None


@app.command("list")
def list_(wiki: WikiOption = None, as_json: JsonOption = False) -> None:
    """List every version of every model there ever was, and those that may become current.

    Example: `outpatrol models list --wiki frwiki`
    """
    with command_services() as services:
        found = {name: entries_of(services.wiki(name)) for name in wiki or sorted(services.wikis)}
    if as_json:
        print_json({name: [asdict(entry) for entry in entries] for name, entries in found.items()})
    else:
        out.print(_table_of_entries(found))


@app.command()
def check(
    wiki: WikiOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask and judge only: write nothing, ring nobody.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the endpoint which versions it runs; one that has settled becomes current, and the others' rows are purged.

    Example: `outpatrol models check --wiki frwiki --dry-run`
    """
    with command_services() as services:
        wikis = [services.wiki(name) for name in dict.fromkeys(wiki or sorted(services.wikis))]
        found = {each.id: look(services, each, dry_run=dry_run) for each in wikis}
        is_silent = services.doorbell.is_silent
    if as_json:
        print_json({name: _document(looked) for name, looked in found.items()})
    else:
        out.print(_table_of_checks(found))
    for name, looked in found.items():
        if looked.promised:
            err.print(f"{name}: {looked.promised} edits promised to be scored again", highlight=False)
    if is_silent:
        err.print(
            "Redis does not answer at redis_url, so nobody was rung for; beat's next purge removes the old rows",
            style="yellow",
        )
    if failures := [
        f"{name}: {looked.error.removeprefix(f'{name}: ')}" for name, looked in found.items() if looked.error
    ]:
        fail("; ".join(failures))


def entries_of(wiki: Wiki) -> list[Entry]:
    """The versions of all models that *wiki* has or is to have, by model, the oldest first."""
    models, waiting = wiki.database.run(lambda session: (all_models(session), candidates(session)))
    ages = {(name, candidate.version): candidate.seconds for name, candidate in waiting.items()}
    entries = [
        Entry(
            model=model.name,
            version=model.version,
            id=model.id,
            is_current=model.is_current,
            rows=rows,
            candidate_seconds=ages.pop((model.name, model.version), None),
        )
        for model, rows in count_versions(wiki.database, models).items()
    ]
    # A candidate gets its number with its first score, or when it becomes current.
    entries += [Entry(model=name, version=version, candidate_seconds=age) for (name, version), age in ages.items()]
    entries += [Entry(model=name, version=None) for name in wiki.models.keys() - {entry.model for entry in entries}]
    return sorted(entries, key=lambda entry: entry.model)


def look(services: Services, wiki: Wiki, *, dry_run: bool) -> Looked:
    """Look for new versions, and do what follows from them; an error costs no other wiki its look."""
    looked, upkeep = Looked(), services.settings.upkeep
    try:
        looked.checks = services.runner.run(check_model_versions(wiki, services.client, upkeep, dry_run=dry_run))
        if not dry_run:
            looked.promised = follow_up(wiki, looked.checks, services.doorbell, rescore=upkeep.rescore)
            looked.formulas = services.runner.run(resolve_formulas(wiki, services.client, upkeep))
    except (OutboxError, WorkerError) as error:
        looked.error = str(error)
    return looked


def _document(looked: Looked) -> dict[str, Any]:
    return {
        "checks": [
            {
                "model": each.model,
                "before": each.before,
                "finding": each.finding,
                "version": each.version,
                "seen": dict(each.seen),
                "wait_seconds": each.wait_seconds,
            }
            for each in looked.checks
        ],
        "promised": looked.promised,
        "formulas": looked.formulas,
        "error": looked.error,
    }


def _table_of_entries(found: Mapping[str, list[Entry]]) -> Table:
    table = _table("wiki", "model", "version", "id", "rows", "", numbers={"id", "rows"})
    for wiki, entries in found.items():
        for entry in entries:
            number = "–" if entry.id is None else str(entry.id)
            table.add_row(wiki, entry.model, entry.version or "–", number, str(entry.rows), _state_of(entry))
    return table


def _state_of(entry: Entry) -> str:
    if entry.version is None:
        return "[yellow]no version yet[/]"
    states = ["[green]current[/]"] if entry.is_current else []
    if entry.candidate_seconds is not None:
        states.append(f"[yellow]candidate since {_duration(entry.candidate_seconds)} ago[/]")
    return ", ".join(states) or "old"


def _table_of_checks(found: Mapping[str, Looked]) -> Table:
    table = _table(
        "wiki", "model", "before", "finding", "version", "replies", "still to wait", numbers={"still to wait"}
    )
    for wiki, looked in found.items():
        for each in looked.checks:
            colour = COLOURS.get(each.finding, "yellow")
            replies = ", ".join(f"{count} × {version}" for version, count in sorted(each.seen.items()))
            wait = "" if each.wait_seconds is None else _duration(each.wait_seconds)
            table.add_row(
                wiki,
                each.model,
                each.before or "–",
                f"[{colour}]{each.finding}[/]",
                each.version or "–",
                replies or "–",
                wait,
            )
    return table


def _table(*names: str, numbers: set[str]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
