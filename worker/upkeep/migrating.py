"""Gives a wiki's database the tables that this version needs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, String, func, select

import worker
from outbox.database import Database, translated_errors
from outbox.errors import DatabaseNotMigrated
from outbox.mediawiki.attaching import detach
from outbox.server import mariadb_engine
from outbox.tables import UTF8
from worker.upkeep.foreign_tables import complete, refuse_foreign

_PACKAGE = Path(worker.__file__).resolve().parent
#: Where the migrations are: at the root of the repository, or inside the package if a wheel was installed.
MIGRATIONS = next(
    folder for folder in (_PACKAGE / "migrations", _PACKAGE.parent / "migrations") if (folder / "env.py").is_file()
)
VERSION_TABLE = "outpatrol_version"
#: Before the first release there were migrations of other names that made the same tables.
UNRELEASED = {"0001", "0002", "0003", "0004", "0005"}
#: Seconds to wait for another `migrate` of the same database; longer than any migration takes.
PATIENCE_SECONDS = 60
#: Seconds to wait for a table that a migration changes or makes.
LOCK_SECONDS = 60
CONNECT_SECONDS = 10


def migrate(database: Database, revision: str = "head", *, emulated: bool = False) -> tuple[str | None, str | None]:
    """Upgrade *database* to *revision*; returns the revisions before and after (None: no tables of ours).

    For an *emulated* wiki MediaWiki's tables are made, too, even if it was not declared emulated before. Each migration
    commits by itself on MariaDB, which has no transactional DDL, and can be repeated; on SQLite all or none are done.
    If several run at once, one works and the others wait for it.

    Raises:
        DatabaseUnavailable: the server does not answer or refuses us.
        DatabaseNotMigrated: our rights do not allow it, another migration does not end (it can be run again
            afterwards), or another version made the tables.
        ForeignTables: tables have other columns than they should; nothing was made.
    """

    def upgrade(config: Config) -> None:
        config.attributes["emulated"] = emulated
        command.upgrade(config, revision)
        if revision == "head":
            complete(config.attributes["connection"], emulated=emulated)

    return _run(database, upgrade, check=partial(refuse_foreign, database=database, emulated=emulated))


def downgrade(database: Database, revision: str = "base") -> tuple[str | None, str | None]:
    """Take *database* back to *revision*. The wiki's own tables are left alone, but for our trigger.

    The trigger goes first, since without the lane no edit could be saved.
    """

    def down(config: Config) -> None:
        connection: Connection = config.attributes["connection"]
        detach(connection, database.wiki)
        connection.commit()
        command.downgrade(config, revision)

    return _run(database, down)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _run(
    database: Database, step: Callable[[Config], None], check: Callable[[Connection], None] = lambda _: None
) -> tuple[str | None, str | None]:
    # On MariaDB an engine of its own: migrations name no schema, so the connection must have the wiki's database as its
    # default. On SQLite the wiki's own engine: the driver's would leave CREATE TABLE out of the transaction.
    is_sqlite = database.url.get_backend_name() == "sqlite"
    engine = (
        database.engine
        if is_sqlite
        # The wait for a table in use is bounded; what was made stays, and the next run goes on from there.
        else mariadb_engine(
            database.url, {"lock_wait_timeout": LOCK_SECONDS}, connect_args={"connect_timeout": CONNECT_SECONDS}
        )
    )
    try:
        with translated_errors(database), engine.connect() as connection:
            if not is_sqlite:
                _wait_for_others(connection, database)
            _refuse_unknown(connection, database)
            check(connection)
            # Made before Alembic makes it: in a database whose character set is `binary`, Alembic can't read its own
            # revision.
            _make_version_table(connection)
            before = _revision_of(connection)
            if not is_sqlite:
                # Alembic commits each migration only if no transaction is open.
                connection.commit()
            step(_config(connection))
            connection.commit()
            return before, _revision_of(connection)
    finally:
        engine.dispose()


def _wait_for_others(connection: Connection, database: Database) -> None:
    """Take the lock that only one migration of a database can hold, until *connection* is closed."""
    name = func.concat("outpatrol migrate ", func.md5(func.database()))
    if not connection.execute(select(func.get_lock(name, PATIENCE_SECONDS))).scalar():
        raise DatabaseNotMigrated(
            f"{database.wiki}: another migration of the database {database.shown_url} has not ended in "
            f"{PATIENCE_SECONDS} s; when it has, run: outpatrol migrate --wiki {database.wiki}"
        )


def _refuse_unknown(connection: Connection, database: Database) -> None:
    wiki, found = database.wiki, _revision_of(connection)
    here = f"{wiki}: the database {database.shown_url} is at revision {found}"
    if found in UNRELEASED:
        raise DatabaseNotMigrated(
            f"{here}, which is from before the first release; remove the row of {VERSION_TABLE} there, "
            f"then run: outpatrol migrate --wiki {wiki}"
        )
    if found is not None and found not in {each.revision for each in _scripts().walk_revisions()}:
        raise DatabaseNotMigrated(
            f"{here}, which this version of Outpatrol does not know; install the newer version that migrated it, "
            f"or correct wikis.{wiki}.database_url"
        )


def _make_version_table(connection: Connection) -> None:
    version = Column("version_num", String(32), primary_key=True)
    operations = Operations(MigrationContext.configure(connection))
    operations.create_table(VERSION_TABLE, version, if_not_exists=True, **UTF8)


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
