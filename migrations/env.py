"""Runs the migrations of one wiki, through the connection that `worker.upkeep.migrating` hands over."""

from alembic import context
from sqlalchemy import Connection
from worker.classification import own_tables
from worker.classification import tables as classification_tables

from outbox import mediawiki, tables
from worker.events import tables as event_tables
from worker.flight import tables as flight_tables
from worker.incoming import positions


def run() -> None:
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is None:
        raise SystemExit("migrations run through `outpatrol migrate`, which knows the wikis' databases")
    context.configure(
        connection=connection,
        target_metadata=[
            tables.metadata,
            mediawiki.metadata,
            classification_tables.metadata,
            own_tables.metadata,
            flight_tables.metadata,
            event_tables.metadata,
            positions.metadata,
        ],
        version_table="outpatrol_version",
        transactional_ddl=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
