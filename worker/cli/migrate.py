"""`outpatrol migrate`: the tables of this version, in every wiki's database."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from worker.bootstrap import Services
from worker.cli.console import (
    command_services,
    documents_of_errors,
    end_with,
    on_each,
    print_json,
    say,
    warn,
    wikis_named,
)
from worker.cli.options import JsonOption, WikiOption
from worker.config.wiki import Wiki
from worker.domain.errors import SettingsInvalid
from worker.upkeep.attaching import keep_attached
from worker.upkeep.foreign_tables import missing_core_tables
from worker.upkeep.migrating import migrate as migrate_database
from worker.upkeep.polling import WikiPoll, groups
from worker.upkeep.trying import same_database, small_packets, small_table_cache, try_writing


def migrate(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
) -> None:
    """Migrate the wikis' databases to the tables that this version needs.

    MediaWiki's own tables are made for wikis with `emulated = true` only, and are only read elsewhere; a wiki with
    `attached = true` gets a trigger that promises its edits, or is followed by the poll. What every turn writes is
    tried afterwards and rolled back, since some wrong settings of a server show only at the first write.

    Example: `outpatrol migrate --wiki enwiki`
    """
    with command_services() as services:
        wikis = wikis_named(services, wiki)
        result, errors = on_each(wikis, partial(_migrate, list(services.wikis.values())))
        if as_json:
            print_json(result | documents_of_errors(errors))
        migrated = [each for each in wikis if each.id in result]
        _, errors_of_writing = on_each(migrated, _try_server)
        _look_at_table_caches(services, migrated)
    end_with(errors | errors_of_writing)


def _migrate(all_wikis: Sequence[Wiki], wiki: Wiki) -> dict[str, Any]:
    earlier = all_wikis[: all_wikis.index(wiki)]
    if other := same_database(wiki.database, [each.database for each in earlier]):
        raise SettingsInvalid(
            f"wikis.{wiki.id}.database_url: leads to the database of {other.wiki} by another name of its server, so "
            "that each would be scored and announced as the other; give each wiki a database of its own"
        )
    before, after = migrate_database(wiki.database, emulated=wiki.settings.emulated)
    state = f"already at {after}" if before == after else f"{before or 'empty'} → {after}"
    say(f"{wiki.id}: {state}")
    _tell_what_is_missing(wiki)
    attached = wiki.settings.attached
    if keep_attached(wiki):
        say(f"{wiki.id}: " + ("attached, every edit is promised from now on" if attached else "no longer attached"))
    return {"before": before, "after": after, "attached": attached}


def _try_server(wiki: Wiki) -> None:
    try_writing(wiki.database)
    if sentence := small_packets(wiki.database):
        warn(sentence)


def _look_at_table_caches(services: Services, migrated: Sequence[Wiki]) -> None:
    """Warn of a server that keeps fewer tables open than all its wikis need, be they migrated now or not."""
    poll = WikiPoll([consumer.lane for consumer in services.consumers.values()])
    looked_at = {wiki.database.server for wiki in migrated}
    for its in groups(services.wikis).values():
        if its[0].database.server in looked_at and (
            sentence := small_table_cache([wiki.database for wiki in its], poll.tables)
        ):
            warn(sentence)


def _tell_what_is_missing(wiki: Wiki) -> None:
    missing, prefixed = missing_core_tables(wiki.database)
    if not missing:
        return
    seen = f" ({', '.join(prefixed)} is there, but prefixes of tables are not supported)" if prefixed else ""
    warn(
        f"{wiki.id}: there is no {', '.join(missing)} in {wiki.database.shown_url}{seen}; edits that are recorded "
        "there are scored and announced, but recentchanges, reconcile, populate and purges have nothing to read: for "
        f"an emulated wiki set wikis.{wiki.id}.emulated = true, for a MediaWiki correct wikis.{wiki.id}.database_url, "
        f"then run: outpatrol migrate --wiki {wiki.id}"
    )
