"""Finds tables that we did not make, before anything is made in a database, and makes tables that a wiki lacks."""

from collections.abc import Collection

from sqlalchemy import Connection, Inspector, inspect

from outbox import ownership, tables
from outbox.database import Database
from outbox.errors import ForeignTables
from outbox.mediawiki.schema import CORE, DISTINCTIVE, READ
from worker.events import kinds as _event_lanes  # noqa: F401 - declares tables of ours, as those below
from worker.events import tables as _event_tables  # noqa: F401
from worker.flight import tables as _flight_tables  # noqa: F401
from worker.incoming import positions as _positions  # noqa: F401
from worker.scores import own_tables as _own_tables  # noqa: F401
from worker.scores.tables import ORES_TABLES
from worker.scores.views import make_missing_views

CHANGES = "recentchanges"


def refuse_foreign(connection: Connection, database: Database, *, emulated: bool) -> None:
    """Check the tables that exist; writes nothing.

    Raises:
        ForeignTables: an *emulated* wiki's database holds a MediaWiki's tables, or a table that we need has
            other columns.
    """
    inspector = inspect(connection)
    here, wiki = f"{database.wiki}: the database {database.shown_url}", database.wiki
    if emulated and (theirs := _foreign_core(connection, inspector)):
        raise ForeignTables(
            f"{here} has tables of a wiki that exists: {', '.join(theirs)}; remove wikis.{wiki}.emulated, or name an "
            f"empty database in wikis.{wiki}.database_url"
        )
    retry = f"then run: outpatrol migrate --wiki {wiki}"
    for table, columns in READ.items():
        for column in _lacking(inspector, table, columns):
            raise ForeignTables(
                f"{here} has a table {table} without {column}, which is not MediaWiki's of 1.39 or newer; correct "
                f"wikis.{wiki}.database_url, or update the wiki with its update.php, {retry}"
            )
    # Otherwise a foreign table with the name of one of ours would pass for ours.
    for owner, its_tables in (("Extension:ORES", ORES_TABLES), ("Outpatrol", tables.metadata.tables.values())):
        for its_table in sorted(its_tables, key=lambda table: table.name):
            name = its_table.name
            for column in _lacking(inspector, name, {each.name for each in its_table.columns}):
                raise ForeignTables(
                    f"{here} has a table {name} without {column}, which is not that of {owner}; rename it, or correct "
                    f"wikis.{wiki}.database_url, {retry}"
                )


def complete(connection: Connection, *, emulated: bool) -> None:
    """Make what the migrations did not: tables of a wiki that was declared emulated later, and the views.

    The caller commits.
    """
    if emulated:
        ownership.make_missing(connection, CORE)
    make_missing_views(connection)


def missing_core_tables(database: Database) -> tuple[list[str], list[str]]:
    """MediaWiki's tables that the wiki's database lacks, and those that it has under names with a prefix."""
    with database.reading() as connection:
        inspector = inspect(connection)
        schema = ownership.schema_of(connection)
        missing = [name for name in READ if not inspector.has_table(name, schema=schema)]
        return missing, _prefixed(inspector, schema)


def _foreign_core(connection: Connection, inspector: Inspector) -> list[str]:
    marked: Collection[str] = ()
    if inspector.has_table(ownership.made_here.name):
        marked = ownership.marks(connection)
    unmarked = [table for table in CORE if table.name not in marked and inspector.has_table(table.name)]
    loaded = [
        table
        for table in DISTINCTIVE
        if table.name in marked
        and inspector.has_table(table.name)
        and not ownership.have_our_columns(connection, [table])
    ]
    return [table.name for table in [*unmarked, *loaded]] + _prefixed(inspector, None)


def _prefixed(inspector: Inspector, schema: str | None) -> list[str]:
    names = inspector.get_table_names(schema=schema)
    return [name for name in names if name.endswith(CHANGES) and name != CHANGES]


def _lacking(inspector: Inspector, table: str, columns: Collection[str]) -> list[str]:
    if not inspector.has_table(table):
        return []
    return sorted(set(columns) - {column["name"] for column in inspector.get_columns(table)})
