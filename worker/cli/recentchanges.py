"""`outpatrol recentchanges`: the edits that an admin looks for, by their scores."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from outbox.mediawiki.schema import moment_of
from worker.cli.changes import change_document, changes_csv, changes_table
from worker.cli.console import USAGE, command_services, fail, out, print_data, print_json, say
from worker.cli.options import JsonOption, cursor, since_when
from worker.cli.tables import table
from worker.domain.thresholds import DAMAGING, GOODFAITH, LEVELS, REVERT_RISK
from worker.scores.filtering import Filters, filters_of
from worker.scores.filters import Change, Cursor, Query

#: Columns; more than any plan needs.
PLAN_WIDTH = 1000

LevelsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LEVEL", help=f"One of {', '.join(LEVELS)}; may be repeated, for any of several.", show_default=False
    ),
]


def recentchanges(
    wiki: Annotated[str, typer.Option("--wiki", help="The wiki's id.")],
    damaging: LevelsOption = None,
    goodfaith: LevelsOption = None,
    revertrisk: Annotated[
        bool, typer.Option("--revertrisk", help="Only edits that are likely to be reverted.")
    ] = False,
    hide_non_damaging: Annotated[
        bool, typer.Option("--hide-non-damaging", help="Only unpatrolled edits above damaging's likelybad.")
    ] = False,
    review: Annotated[
        bool | None, typer.Option("--review/--no-review", help="Only edits above damaging's likelybad, or only others.")
    ] = None,
    unpatrolled: Annotated[bool, typer.Option("--unpatrolled", help="Only edits that nobody has patrolled.")] = False,
    hide_bots: Annotated[bool, typer.Option("--hide-bots", help="No edits by bots.")] = False,
    namespace: Annotated[
        list[int] | None, typer.Option(help="Only this namespace, by number; may be repeated.")
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            parser=since_when,
            metavar="TIME",
            help="Only changes since then: 7d, 2h, 2026-11-01, 2026-11-01T12:00 (UTC).",
        ),
    ] = "7d",
    before: Annotated[
        Cursor | None,
        typer.Option(parser=cursor, metavar="CURSOR", help="The next page: the value that the last page printed."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most this many, the newest.")] = 50,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; an apostrophe stands before text that a spreadsheet would run.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statement, to paste into a client.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show the statement's plan; with --json as JSON.")] = False,
) -> None:
    """Show the changes whose scores match, the newest first. A change has to match all filters that are given.

    Example: `outpatrol recentchanges --wiki frwiki --damaging likelybad --unpatrolled --since 2h`
    """
    _check_one_form({"--csv": as_csv, "--sql": sql, "--explain": explain, "--json": as_json and not explain})
    with command_services() as services:
        filters = filters_of(services.wiki(wiki))
        levels = {
            DAMAGING: damaging or [],
            GOODFAITH: goodfaith or [],
            REVERT_RISK: ["revertrisk"] if revertrisk else [],
        }
        choices: dict[str, Any] = {
            "levels": {model: chosen for model, chosen in levels.items() if chosen},
            "hide_non_damaging": hide_non_damaging,
            "review": review,
            "unpatrolled": unpatrolled,
            "hide_bots": hide_bots,
            "namespaces": namespace or [],
            "limit": limit,
        }
        query = filters.query(since=since, after=before, **choices)
        if sql:
            print_data(filters.script(query) + "\n")
        elif explain:
            _show_plan(wiki, filters.plan(query), as_json=as_json)
        else:
            _show_changes(filters, query, choices, as_json=as_json, as_csv=as_csv)


def _show_changes(filters: Filters, query: Query, choices: dict[str, Any], *, as_json: bool, as_csv: bool) -> None:
    changes = filters.find(query)
    if as_json:
        print_json(_document(filters, query, choices, changes))
    elif as_csv:
        print_data(changes_csv(filters, changes))
    elif changes:
        out.print(changes_table([(filters, change) for change in changes], datetime.now(UTC), width=out.width))
    _say_how_to_go_on(filters, query, changes)


def _check_one_form(forms: dict[str, bool]) -> None:
    chosen = [name for name, is_chosen in forms.items() if is_chosen]
    if len(chosen) > 1:
        fail(f"{' and '.join(chosen)} can't be combined; choose one", USAGE)


def _document(filters: Filters, query: Query, choices: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    return {
        "wiki": filters.wiki.id,
        "since": query.since,
        "filters": choices | {"before": query.after and str(query.after)},
        "changes": [change_document(filters, change) for change in changes],
        "next": _next(query, changes),
    }


def _next(query: Query, changes: list[Change]) -> str | None:
    return str(changes[-1].cursor) if len(changes) == query.limit else None


def _say_how_to_go_on(filters: Filters, query: Query, changes: list[Change]) -> None:
    if following := _next(query, changes):
        sentence = f"the next page: --before {following}"
    elif changes:
        return
    elif query.after:
        sentence = "no older change matches; this was the last page"
    elif newest := filters.find(filters.query(since="", levels={}, limit=1)):
        then = newest[0].timestamp
        sentence = (
            f"no change since {_shown(query.since)} matches; the newest one of {filters.wiki.id} is from "
            f"{_shown(then)}; say --since {moment_of(then):%Y-%m-%d}, or leave a filter out"
        )
    else:
        sentence = f"{filters.wiki.id} has no changes yet"
    say(sentence)


def _shown(timestamp: str) -> str:
    return f"{moment_of(timestamp):%Y-%m-%d %H:%M:%S} UTC"


def _show_plan(wiki: str, plan: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"wiki": wiki, "plan": plan})
        return
    rows = [row.values() for row in plan]
    # MariaDB's plans have ten columns: long lines that the terminal wraps can be read, ten narrow columns can't.
    Console(width=PLAN_WIDTH, soft_wrap=True).print(table(plan[0], rows))
