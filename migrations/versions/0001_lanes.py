"""The lanes: messages, waiting messages and dead letters, for edits and for events.

Every step can be done again, since MariaDB keeps those that were done when a later one failed.
"""

from alembic import op
from sqlalchemy import CheckConstraint, Column, Integer, String, Text

from outbox.columns import AutoId, Moment, Payload, database_now
from outbox.tables import UTF8

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LANES = ("outbox", "event_outbox")


def upgrade() -> None:
    for lane in LANES:
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


def downgrade() -> None:
    for lane in reversed(LANES):
        op.drop_table(f"{lane}_dead", if_exists=True)
        op.drop_table(f"{lane}_waiting", if_exists=True)
        op.drop_table(lane, if_exists=True)
