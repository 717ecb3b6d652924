"""Runs the migrations of one wiki, through the connection that `worker.upkeep.migrating` hands over."""

from alembic import context
from sqlalchemy import Connection

import worker.bootstrap
import worker.incoming.positions  # noqa: F401 - declares a table
from outbox import tables
from outbox.mediawiki import schema


def run() -> None:
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is None:
        raise SystemExit("migrations run through `outpatrol migrate`, which knows the wikis' databases")
    context.configure(
        connection=connection,
        target_metadata=[tables.metadata, schema.metadata],
        version_table="outpatrol_version",
        transactional_ddl=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
