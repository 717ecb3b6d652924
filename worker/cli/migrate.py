"""`outpatrol migrate`: the tables of this version, in every wiki's database."""

from worker.cli.console import command_services, print_json, say, warn, wikis_named
from worker.cli.options import JsonOption, WikiOption
from worker.config.wiki import Wiki
from worker.upkeep.foreign_tables import missing_core_tables
from worker.upkeep.migrating import migrate as migrate_database


def migrate(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
) -> None:
    """Migrate the wikis' databases to the tables that this version needs.

    MediaWiki's own tables are made for wikis with `emulated = true` only, and are only read elsewhere.

    Example: `outpatrol migrate --wiki enwiki`
    """
    with command_services() as services:
        result = {}
        for each in wikis_named(services, wiki):
            before, after = migrate_database(each.database, emulated=each.settings.emulated)
            result[each.id] = {"before": before, "after": after}
            state = f"already at {after}" if before == after else f"{before or 'empty'} → {after}"
            say(f"{each.id}: {state}")
            _tell_what_is_missing(each)
    if as_json:
        print_json(result)


def _tell_what_is_missing(wiki: Wiki) -> None:
    missing, prefixed = missing_core_tables(wiki.database)
    if not missing:
        return
    seen = f" ({', '.join(prefixed)} is there, but prefixes of tables are not known here)" if prefixed else ""
    warn(
        f"{wiki.id}: there is no {', '.join(missing)} in {wiki.database.shown_url}{seen}; edits that are recorded "
        "there are scored and announced, but recentchanges, reconcile, populate and purges have nothing to read: for "
        f"an emulated wiki set wikis.{wiki.id}.emulated = true, for a MediaWiki correct wikis.{wiki.id}.database_url, "
        f"then run: outpatrol migrate --wiki {wiki.id}"
    )
