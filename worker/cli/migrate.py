"""`outpatrol migrate`: the tables of this version, in every wiki's database."""

from worker.cli.console import command_services, err, print_json, warn, wikis_named
from worker.cli.options import JsonOption, WikiOption
from worker.config.wiki import Wiki
from worker.upkeep.foreign_tables import missing_core_tables
from worker.upkeep.migrating import migrate as migrate_database
from worker.upkeep.trying import small_packets, try_writing


def migrate(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
) -> None:
    """Migrate the wikis' databases to the tables that this version needs.

    MediaWiki's own tables are made for wikis with `emulated = true` only, and are only read elsewhere. What every turn
    writes is tried afterwards and taken back, for some settings of a server are in the way of the first write only.

    Example: `outpatrol migrate --wiki enwiki`
    """
    with command_services() as services:
        result, wikis = {}, wikis_named(services, wiki)
        for each in wikis:
            before, after = migrate_database(each.database, emulated=each.settings.emulated)
            result[each.id] = {"before": before, "after": after}
            state = f"already at {after}" if before == after else f"{before or 'empty'} → {after}"
            err.print(f"{each.id}: {state}", highlight=False)
            _tell_what_is_missing(each)
        if as_json:
            print_json(result)
        for each in wikis:
            try_writing(each.database)
            if sentence := small_packets(each.database):
                warn(sentence)


def _tell_what_is_missing(wiki: Wiki) -> None:
    missing, prefixed = missing_core_tables(wiki.database)
    if not missing:
        return
    seen = f" ({', '.join(prefixed)} is there, but prefixes of tables are not known here)" if prefixed else ""
    err.print(
        f"{wiki.id}: there is no {', '.join(missing)} in {wiki.database.shown_url}{seen}; edits that are recorded "
        "there are scored and announced, but recentchanges, reconcile, populate and purges have nothing to read: for "
        f"an emulated wiki set wikis.{wiki.id}.emulated = true, for a MediaWiki correct wikis.{wiki.id}.database_url, "
        f"then run: outpatrol migrate --wiki {wiki.id}",
        style="yellow",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
