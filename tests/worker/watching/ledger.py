"""The ledger as tests read and write it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, select, update

from outbox.columns import database_now
from outbox.database import Database
from tests.builders import an_event
from tests.worker.lines import drain, publish
from worker.bootstrap import Services
from worker.events.ledger import keep
from worker.events.tables import event_ledger


def lines_of(database: Database) -> list[RowMapping]:
    with database.reading() as connection:
        return list(connection.execute(select(event_ledger).order_by(event_ledger.c.id)).mappings())


def ids_of(database: Database) -> set[str]:
    return {str(UUID(bytes=line["event_id"])) for line in lines_of(database)}


def write(database: Database, count: int, *, sink: str = "file", age: timedelta = timedelta(0), **event: Any) -> None:
    """Let *sink* have taken *count* events of as many revisions, so long ago."""
    with database.transaction() as session:
        before = session.execute(select(func.coalesce(func.max(event_ledger.c.id), 0))).scalar_one()
        keep(session, sink, [an_event(**({"revision": number} | event)) for number in range(1, count + 1)])
        ours = update(event_ledger).where(event_ledger.c.id > before)
        session.execute(ours.values(delivered_at=database_now(-age)))


def announce(services: Services) -> None:
    """Score, settle and publish all that is ready, to every sink."""
    drain(services)
    for sink in services.sinks:
        publish(services, sink)
