"""Gives a wiki's database the tables that this version needs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, String, Table, create_engine

import worker
from outbox.database import STRICT, Database, translated_errors
from outbox.tables import UTF8
from worker.upkeep.foreign_tables import complete, refuse_foreign

_PACKAGE = Path(worker.__file__).resolve().parent
#: At the root of the repository, and inside the package where a wheel was installed.
MIGRATIONS = next(
    folder for folder in (_PACKAGE / "migrations", _PACKAGE.parent / "migrations") if (folder / "env.py").is_file()
)
VERSION_TABLE = "outpatrol_version"

_version_table = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True), **UTF8)


def migrate(database: Database, revision: str = "head", *, emulated: bool = False) -> tuple[str | None, str | None]:
    """Upgrade *database* to *revision*; returns the revisions before and after (None: no tables of ours).

    For an *emulated* wiki MediaWiki's tables are made, too, even if it was declared emulated only later. On MariaDB,
    which has no transactional DDL, each migration commits by itself; on SQLite all are done or none.

    Raises:
        DatabaseUnavailable: the server does not answer or refuses us.
        DatabaseNotMigrated: our account may not do it; run it again with more rights.
        ForeignTables: some tables are not what they should be; nothing was made.
    """

    def upgrade(config: Config) -> None:
        config.attributes["emulated"] = emulated
        command.upgrade(config, revision)
        if revision == "head":
            complete(config.attributes["connection"], emulated=emulated)

    return _run(database, upgrade, check=partial(refuse_foreign, database=database, emulated=emulated))


def downgrade(database: Database, revision: str = "base") -> tuple[str | None, str | None]:
    """Take *database* back to *revision*. The wiki's own tables are left alone."""
    return _run(database, lambda config: command.downgrade(config, revision))


def head_revision() -> str | None:
    """The newest revision this version knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


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
        else create_engine(database.url, connect_args={"init_command": f"SET SESSION {STRICT}"})
    )
    try:
        with translated_errors(database), engine.connect() as connection:
            check(connection)
            # Before Alembic makes it: in a database whose character set is `binary` it could not read its own revision.
            _version_table.create(connection, checkfirst=True)
            before = _revision_of(connection)
            # Alembic commits each migration only where no transaction is under way.
            connection.commit()
            step(_config(connection))
            connection.commit()
            return before, _revision_of(connection)
    finally:
        engine.dispose()


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
