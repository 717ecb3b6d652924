"""`outpatrol migrate`."""

from worker.cli.console import command_services, err, print_json
from worker.cli.options import JsonOption, WikiOption
from worker.upkeep.migrating import migrate as migrate_database


def migrate(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
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
