"""`outpatrol migrate`."""

from typing import Annotated

import typer

from worker.cli.console import command_services, err, print_json
from worker.migrating import migrate as migrate_database

WikiOption = Annotated[list[str] | None, typer.Option("--wiki", help="Only this wiki; may be repeated.")]


def migrate(
    wiki: WikiOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Bring the wikis' databases to the tables this version needs.

    Example: `outpatrol migrate --wiki enwiki`
    """
    with command_services() as services:
        result = {}
        for name in wiki or sorted(services.wikis):
            before, after = migrate_database(services.wiki(name).database)
            result[name] = {"before": before, "after": after}
            state = f"at {after} already" if before == after else f"{before or 'empty'} → {after}"
            err.print(f"{name}: {state}", highlight=False)
    if as_json:
        print_json(result)
