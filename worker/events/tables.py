"""`event_ledger`: which events were delivered to which sink, for a limited time."""

from sqlalchemy import BINARY, Column, Index, LargeBinary, String, Table

from outbox.columns import AutoId, Moment, UnsignedInt, database_now
from outbox.tables import UTF8, metadata

event_ledger = Table(
    "event_ledger",
    metadata,
    Column("id", AutoId, primary_key=True, autoincrement=True),
    Column("sink", String(16), nullable=False),
    Column("stream", String(128), nullable=False),
    Column("revision", UnsignedInt, nullable=False),
    Column("event_id", LargeBinary(16).with_variant(BINARY(16), "mysql", "mariadb"), nullable=False),
    Column("delivered_at", Moment, nullable=False, server_default=database_now()),
    Index("event_ledger_revision", "revision"),
    Index("event_ledger_delivered_at", "delivered_at", "sink", "stream"),
    **UTF8,
)
