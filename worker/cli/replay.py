"""`outpatrol replay`: recorded edits, saved on the configured wikis."""

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from outbox import EDITS
from outbox.page_changes import Promised
from worker.bootstrap import Services
from worker.cli.autopatrolled import shown_groups
from worker.cli.console import (
    command_services,
    fail,
    print_json,
    progress,
    say,
    warn,
    warn_if_redis_is_silent,
    wikis_named,
)
from worker.cli.options import AutopatrolledGroupOption, JsonOption, WikiOption
from worker.config.autopatrolled_groups import usual_groups
from worker.config.wiki import Wiki
from worker.domain.errors import CommandFailed
from worker.incoming.edits import GroupsOf
from worker.incoming.replaying import ReplayReport, edits_in, lines_of
from worker.incoming.replaying import replay as replay_edits


def replay(
    file: Annotated[
        str, typer.Argument(help="NDJSON of recentchange or page_change events, plain or .gz; - is standard input.")
    ],
    wiki: WikiOption = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many edits.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="At most this many edits a second.")] = None,
    autopatrolled_group: AutopatrolledGroupOption = None,
    strict: Annotated[bool, typer.Option(help="Exit code 1 if any line was left out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Save recorded edits on the emulated wikis, each in a transaction of its own, and tell the workers.

    A wiki that is not emulated is not written to: its edits are promised, scored and announced. If a line does
    not say who is autopatrolled, the user's groups decide: see autopatrolled_groups of the wiki's settings.

    Example: `outpatrol replay recentchange.ndjson.gz --wiki frwiki --rate 50`
    """
    with command_services() as services:
        wikis, report = wikis_named(services, wiki), ReplayReport()
        groups_of = shown_groups(wikis, autopatrolled_group)
        with progress() as shown:
            task = shown.add_task("saving edits", total=limit)

            def saved(_: Promised) -> None:
                shown.advance(task)

            replay_file(services, file, wikis, report, groups_of=groups_of, limit=limit, rate=rate, saved=saved)
    warn_if_redis_is_silent(services, "the edits are safe, and the workers' next poll finds them")
    _tell(report)
    if as_json:
        print_json(
            {
                "edits": report.edits,
                "saved": report.saved,
                "promised": report.promised,
                "page_changes": report.page_changes,
                "left_out": report.left_out,
                "complaints": report.complaints,
            }
        )
    if strict and report.left_out:
        fail(f"{report.left_out.total()} lines were left out, and --strict allows none")


def _tell(report: ReplayReport) -> None:
    """What became of the lines, in sentences."""
    for complaint in report.complaints:
        warn(complaint)
    left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(report.left_out.items())) or "none"
    say(f"{report.saved.total()} edits saved on {len(report.saved)} wikis; left out: {left_out}")
    if report.page_changes:
        say(f"{report.page_changes.total()} changes of pages that are no edits promised (delete, move …)")
    if report.promised:
        warn(
            f"{report.promised.total()} edits promised, not saved, on {', '.join(sorted(report.promised))}: nothing is "
            "written to a wiki that is not emulated"
        )


def replay_file(
    services: Services,
    file: str,
    wikis: Iterable[Wiki],
    report: ReplayReport,
    *,
    groups_of: GroupsOf = usual_groups,
    limit: int | None = None,
    rate: float | None = None,
    saved: Callable[[Promised], None] = lambda _: None,
) -> None:
    """Replay *file*, ringing for each edit that is saved; the doorbell itself keeps that cheap.

    Raises:
        CommandFailed: the file can't be read.
    """

    def announce(edit: Promised) -> None:
        services.doorbell.turn(edit.wiki, EDITS.name)
        saved(edit)

    databases = {wiki.id: wiki.database for wiki in wikis}
    try:
        with lines_of(file) as lines:
            edits = edits_in(lines, report, wikis=databases.keys(), groups_of=groups_of, limit=limit)
            replay_edits(edits, databases, report, rate=rate, saved=announce)
    except UnicodeError as error:
        raise CommandFailed(f"{file} can't be read: {error}") from error
    except (OSError, EOFError) as error:
        raise CommandFailed(f"{file} can't be read: {error}; name an NDJSON file, or - for standard input") from error
