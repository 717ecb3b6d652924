"""`outpatrol migrate`: the tables of this version, in every wiki's database."""

from worker.cli.console import command_services, err, print_json, wikis_named
from worker.cli.options import JsonOption, WikiOption
from worker.upkeep.migrating import migrate as migrate_database


def migrate(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
) -> None:
    """Migrate the wikis' databases to the tables that this version needs.

    Example: `outpatrol migrate --wiki enwiki`
    """
    with command_services() as services:
        result = {}
        for each in wikis_named(services, wiki):
            before, after = migrate_database(each.database)
            result[each.id] = {"before": before, "after": after}
            state = f"already at {after}" if before == after else f"{before or 'empty'} → {after}"
            err.print(f"{each.id}: {state}", highlight=False)
    if as_json:
        print_json(result)
