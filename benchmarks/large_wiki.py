"""Filters, views and purges at scale: all measurements on one large wiki, and whether the results are right."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.columns import WIKI
from benchmarks.crowded_wiki import FILLED, MODELS, Size, fill
from benchmarks.measuring import Announce
from benchmarks.purging import Phase, measure_purges
from benchmarks.recentchanges import CHOICES, MeasuredChoice, measure_choice
from benchmarks.servers import connect
from benchmarks.views import ViewPage, measure_view
from benchmarks.wiki_server import wiki_server
from tests.builders import some_settings
from tests.services import create_database, drop_database
from worker.bootstrap import build_services

DATABASE = "outpatrol_crowded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeWiki:
    """Everything that was measured."""

    size: Size
    choices: Sequence[MeasuredChoice]
    view: Sequence[ViewPage]
    purges: Sequence[Phase]

    @property
    def faults(self) -> list[str]:
        """What must not happen on any machine; speed is only reported."""
        planned = [f"{each.choice}, {fault}" for each in self.choices for fault in each.faults]
        planned += [f"view, {each.name}: {fault}" for each in self.view for fault in each.faults]
        differing = [
            f"{each.choice}, {name}: not the changes that the extension finds"
            for each in self.choices
            for name, page in each.pages.items()
            if not page.is_same
        ]
        purging = [
            f"{each.name}: {each.deadlocks} deadlocks, errors {dict(each.errors)}, {each.left} rows left"
            for each in self.purges
            if not each.is_ok
        ]
        return planned + differing + purging


def measure_large_wiki(
    size: Size, announce: Announce, *, rounds: int, quiet_seconds: float, kept: Path | None = None
) -> LargeWiki:
    """Start a server, fill it unless the directory *kept* has the wiki, and measure; what is kept is purged, too."""
    with wiki_server(kept) as server_url:
        url = f"{server_url}/{DATABASE}"
        is_there = kept is not None and _is_filled(server_url)
        settings = some_settings(
            database_url=url if is_there else create_database(server_url, DATABASE),
            wikis=(WIKI,),
            models=MODELS,
            endpoint={"kind": "lift_wing"},
        )
        try:
            with closing(build_services(settings)) as services:
                wiki = services.wiki(WIKI)
                if not is_there:
                    fill(wiki.database, size, announce)
                return LargeWiki(
                    size=size,
                    choices=[measure_choice(wiki, choice, rounds, announce) for choice in CHOICES],
                    view=measure_view(wiki.database),
                    purges=measure_purges(wiki.database, announce, quiet_seconds),
                )
        finally:
            if kept is None:
                drop_database(server_url, DATABASE)


def _is_filled(server_url: str) -> bool:
    with closing(connect(server_url)) as connection, connection.cursor() as cursor:
        same = f"TABLE_SCHEMA = '{DATABASE}' AND TABLE_NAME = '{FILLED}'"
        return bool(cursor.execute(f"SELECT 1 FROM information_schema.TABLES WHERE {same}"))
