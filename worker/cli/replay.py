"""`outpatrol replay`: recorded edits, saved on the configured wikis."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from outbox import EDITS
from outbox.edits import Edit
from worker.bootstrap import Services
from worker.cli.console import command_services, err, fail, print_json
from worker.cli.options import JsonOption, WikiOption
from worker.domain.errors import CommandFailed
from worker.emulators.replay import ReplayReport, edits_in, lines_of
from worker.emulators.replay import replay as replay_edits
from worker.lanes.rings import TURN


def replay(
    file: Annotated[
        str, typer.Argument(help="NDJSON of recentchange or page_change events, .gz too; - for standard input.")
    ],
    wiki: WikiOption = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many edits.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="At most so many edits a second.")] = None,
    strict: Annotated[bool, typer.Option(help="Exit code 1 if any line was left out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Save recorded edits on the emulated wikis, each in a transaction of its own, and ring for the workers.

    Example: `outpatrol replay recentchange.ndjson.gz --wiki frwiki --rate 50`
    """
    with command_services() as services:
        wikis = [services.wiki(name).id for name in wiki or sorted(services.wikis)]
        report = ReplayReport()
        with _progress() as progress:
            task = progress.add_task("saving edits", total=limit)
            replay_file(services, file, wikis, report, limit=limit, rate=rate, saved=lambda _: progress.advance(task))
        if services.doorbell.is_silent:
            err.print(
                "Redis does not answer at redis_url, so nobody was rung for; the edits are safe, and the workers' poll "
                "finds them once it is back",
                style="yellow",
            )
    for complaint in report.complaints:
        err.print(complaint, style="yellow", markup=False, highlight=False, soft_wrap=True)
    left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(report.left_out.items())) or "none"
    err.print(f"{report.edits} edits saved on {len(report.saved)} wikis; left out: {left_out}", highlight=False)
    if as_json:
        print_json(
            {
                "edits": report.edits,
                "saved": report.saved,
                "left_out": report.left_out,
                "complaints": report.complaints,
            }
        )
    if strict and report.left_out:
        fail(f"{report.left_out.total()} lines were left out, and --strict allows none")


def replay_file(
    services: Services,
    file: str,
    wikis: list[str],
    report: ReplayReport,
    *,
    limit: int | None = None,
    rate: float | None = None,
    saved: Callable[[Edit], None] = lambda _: None,
) -> None:
    """Replay *file*, ringing for each edit that is saved; the doorbell itself keeps that cheap.

    Raises:
        CommandFailed: the file can't be read.
    """

    def announce(edit: Edit) -> None:
        services.doorbell.ring(TURN, edit.wiki, EDITS.name)
        saved(edit)

    databases = {name: services.wikis[name].database for name in wikis}
    try:
        with lines_of(file) as lines:
            replay_edits(
                edits_in(lines, report, wikis=wikis, limit=limit), databases, report, rate=rate, saved=announce
            )
    except (OSError, EOFError) as error:
        raise CommandFailed(f"{file} can't be read: {error}; name an NDJSON file, or - for standard input") from error


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn(), console=err
    )
