"""`score_flight`: leases and answers of single flight for the time in which Redis is gone."""

from alembic import op
from sqlalchemy import Column, String

from outbox.columns import BinaryString, Moment, Payload
from outbox.tables import UTF8

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "score_flight",
        Column("score_id", BinaryString(255), primary_key=True),
        Column("token", String(32)),
        Column("leased_until", Moment),
        Column("answer", Payload),
        Column("answer_until", Moment),
        Column("handed_over", Payload),
        Column("handed_over_by", String(32)),
        Column("handed_over_until", Moment),
        Column("runs_out", Moment, nullable=False),
        if_not_exists=True,
        **UTF8,
    )
    op.create_index("score_flight_runs_out", "score_flight", ["runs_out"], if_not_exists=True)


def downgrade() -> None:
    op.drop_table("score_flight", if_exists=True)
