"""The lane of the backfill, the tables of the upkeep, and the views that admins ask.

Every step can be done again, since MariaDB keeps those that were done when a later one failed.
"""

from alembic import op
from sqlalchemy import CheckConstraint, Column, Float, Integer, String, Text

from outbox.columns import AutoId, BinaryString, Moment, Payload, database_now
from outbox.tables import UTF8
from worker.scores.views import drop_views, make_views

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    make_views(op.get_bind())
    _create_lane("backfill_outbox")
    op.create_table(
        "model_candidate",
        Column("model", BinaryString(32), primary_key=True),
        Column("version", BinaryString(32), nullable=False),
        Column("since", Moment, nullable=False, server_default=database_now()),
        if_not_exists=True,
        **UTF8,
    )
    op.create_table(
        "formula_threshold",
        Column("model", BinaryString(32), primary_key=True),
        Column("version", BinaryString(32), primary_key=True),
        Column("label", String(5), primary_key=True),
        Column("formula", String(100), primary_key=True),
        Column("threshold", Float(53)),
        Column("asked_at", Moment, nullable=False, server_default=database_now()),
        if_not_exists=True,
        **UTF8,
    )


def downgrade() -> None:
    drop_views(op.get_bind())
    lane = ("backfill_outbox_dead", "backfill_outbox_waiting", "backfill_outbox")
    for table in ("formula_threshold", "model_candidate", *lane):
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
