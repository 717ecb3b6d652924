"""A lane for each sink, the ledger of what was announced, and how far streams of edits were read.

Every step can be done again, since MariaDB keeps those that were done when a later one failed.
"""

from alembic import op
from sqlalchemy import BINARY, CheckConstraint, Column, Integer, LargeBinary, String, Text

from outbox.columns import AutoId, BinaryString, Moment, Payload, UnsignedInt, database_now
from outbox.tables import UTF8

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LANES = ("event_outbox_stdout", "event_outbox_eventgate", "event_outbox_kafka")


def upgrade() -> None:
    for lane in LANES:
        _create_lane(lane)
    op.create_table(
        "event_ledger",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("sink", String(16), nullable=False),
        Column("stream", String(128), nullable=False),
        Column("revision", UnsignedInt, nullable=False),
        Column("event_id", LargeBinary(16).with_variant(BINARY(16), "mysql", "mariadb"), nullable=False),
        Column("delivered_at", Moment, nullable=False, server_default=database_now()),
        if_not_exists=True,
        **UTF8,
    )
    op.create_index("event_ledger_revision", "event_ledger", ["revision"], if_not_exists=True)
    op.create_index("event_ledger_delivered_at", "event_ledger", ["delivered_at", "sink", "stream"], if_not_exists=True)
    op.create_table(
        "stream_position",
        Column("source", BinaryString(255), primary_key=True),
        Column("event_id", Text, nullable=False),
        Column("read_at", Moment, nullable=False, server_default=database_now()),
        if_not_exists=True,
        **UTF8,
    )


def downgrade() -> None:
    lanes = [table for lane in reversed(LANES) for table in (f"{lane}_dead", f"{lane}_waiting", lane)]
    for table in ("stream_position", "event_ledger", *lanes):
        op.drop_table(table, if_exists=True)


def _create_lane(lane: str) -> None:
    op.create_table(
        lane,
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False, server_default="0"),
        Column("recorded_at", Moment, nullable=False, server_default=database_now()),
        Column("lease_token", String(32)),
        Column("leased_until", Moment),
        CheckConstraint("(lease_token IS NULL) = (leased_until IS NULL)", name=op.f(f"{lane}_whole_lease")),
        if_not_exists=True,
        **UTF8,
    )
    op.create_table(
        f"{lane}_waiting",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("due_at", Moment, nullable=False),
        Column("error", Text, nullable=False),
        if_not_exists=True,
        **UTF8,
    )
    op.create_index(f"{lane}_waiting_due_at", f"{lane}_waiting", ["due_at"], if_not_exists=True)
    op.create_table(
        f"{lane}_dead",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("died_at", Moment, nullable=False, server_default=database_now()),
        Column("reason", String(64), nullable=False),
        Column("error", Text, nullable=False),
        if_not_exists=True,
        **UTF8,
    )
