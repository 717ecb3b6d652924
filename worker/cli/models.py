"""`outpatrol models …`: the versions of the scoring models, and looking for new ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from outbox.errors import OutboxError
from worker.bootstrap import Services
from worker.cli.console import (
    command_services,
    documents_of_errors,
    end_with,
    fail,
    on_each,
    out,
    print_json,
    print_table,
    say,
    warn_if_redis_is_silent,
    wikis_named,
)
from worker.cli.options import JsonOption, WikiOption
from worker.cli.tables import seconds_shown, table
from worker.config.wiki import Wiki
from worker.domain.errors import WorkerError
from worker.scores.candidates import Finding, candidates
from worker.scores.model_versions import all_models
from worker.upkeep.purging import count_versions
from worker.upkeep.versions import ModelCheck, check_model_versions, follow_up, keep_versions, resolve_formulas

app = typer.Typer(
    help="See the versions of the scoring models, and look for new ones.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


COLOURS = {Finding.UNCHANGED: "green", Finding.CHANGED: "bold green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVersion:
    """A version of a model: a row of `ores_model`, or a candidate; None for a model without any."""

    model: str
    version: str | None
    id: int | None = None
    is_current: bool = False
    #: Rows of `ores_classification`.
    rows: int = 0
    #: Seconds for which it has been a candidate, if it is one.
    candidate_seconds: float | None = None


@dataclass(slots=True, kw_only=True)
class Looked:
    """The result of looking for new versions on one wiki."""

    checks: list[ModelCheck] = field(default_factory=list)
    #: Edits to be scored again.
    promised: int = 0
    #: Threshold formulas that the endpoint was asked to resolve.
    formulas: int = 0
    #: Why the look ended early, if it did.
    error: str | None = None


@app.command("list")
def list_(wiki: WikiOption = None, as_json: JsonOption = False) -> None:
    """List every version that a model ever had here, and those that may become current.

    Example: `outpatrol models list --wiki frwiki`
    """
    with command_services() as services:
        found, errors = on_each(wikis_named(services, wiki), entries_of)
    if as_json:
        documents = {name: [asdict(entry) for entry in entries] for name, entries in found.items()}
        print_json(documents | documents_of_errors(errors))
    else:
        print_table(_table_of_entries(found), errors)
    end_with(errors)


@app.command()
def check(
    wiki: WikiOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only ask and show; change nothing, tell no worker.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the endpoint which versions it runs; one that has settled becomes current, and the others' rows are purged.

    Example: `outpatrol models check --wiki frwiki --dry-run`
    """
    with command_services() as services:
        found = {each.id: look(services, each, dry_run=dry_run) for each in wikis_named(services, wiki)}
    if as_json:
        print_json({name: _document(looked) for name, looked in found.items()})
    else:
        out.print(_table_of_checks(found))
    for name, looked in found.items():
        if looked.promised:
            say(f"{name}: {looked.promised} edits queued to be scored again")
    warn_if_redis_is_silent(services, "beat's next purge removes the old rows")
    if failures := [
        f"{name}: {looked.error.removeprefix(f'{name}: ')}" for name, looked in found.items() if looked.error
    ]:
        fail("; ".join(failures))


def entries_of(wiki: Wiki) -> list[ListedVersion]:
    """The versions of all models that *wiki* has or is configured for, by model, the oldest first."""
    models, waiting = wiki.database.run(lambda connection: (all_models(connection), candidates(connection)))
    ages = {(name, candidate.version): candidate.seconds for name, candidate in waiting.items()}
    entries = [
        ListedVersion(
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
    entries += [
        ListedVersion(model=name, version=version, candidate_seconds=age) for (name, version), age in ages.items()
    ]
    entries += [
        ListedVersion(model=name, version=None) for name in wiki.models.keys() - {entry.model for entry in entries}
    ]
    return sorted(entries, key=lambda entry: entry.model)


def look(services: Services, wiki: Wiki, *, dry_run: bool) -> Looked:
    """Look for new versions and act on them; an error is kept in the result, so that other wikis are still checked."""
    looked, upkeep = Looked(), services.settings.upkeep
    try:
        looked.checks = services.runner.run(check_model_versions(wiki, services.client, upkeep, dry_run=dry_run))
        if not dry_run:
            keep_versions(wiki, services.documents)
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


def _table_of_entries(found: Mapping[str, list[ListedVersion]]) -> Table:
    rows = [
        (wiki, entry.model, entry.version, entry.id, entry.rows, _state_of(entry))
        for wiki, entries in found.items()
        for entry in entries
    ]
    return table(("wiki", "model", "version", "id", "rows", ""), rows, numbers={"id", "rows"})


def _state_of(entry: ListedVersion) -> Text:
    if entry.version is None:
        return Text("no version yet", "yellow")
    states = [Text("current", "green")] if entry.is_current else []
    if entry.candidate_seconds is not None:
        states.append(Text(f"candidate for {seconds_shown(entry.candidate_seconds)}", "yellow"))
    return Text(", ").join(states) if states else Text("old")


def _table_of_checks(found: Mapping[str, Looked]) -> Table:
    columns = ("wiki", "model", "before", "finding", "version", "replies", "still to wait")
    rows = [(wiki, *_row_of(each)) for wiki, looked in found.items() for each in looked.checks]
    return table(columns, rows, numbers={"still to wait"})


def _row_of(check: ModelCheck) -> tuple[str | Text | None, ...]:
    colour = COLOURS.get(check.finding, "yellow")
    return (
        check.model,
        check.before,
        Text(check.finding, colour),
        check.version,
        ", ".join(f"{count} × {version}" for version, count in sorted(check.seen.items())) or None,
        "" if check.wait_seconds is None else seconds_shown(check.wait_seconds),
    )
