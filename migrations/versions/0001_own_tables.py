"""Outpatrol's own tables: the lanes, what single flight, thresholds and sinks keep, and which tables were made here."""

from pathlib import Path

from alembic.util import load_python_file
from sqlalchemy import BINARY, Column, Float, LargeBinary, String, Text

frozen = load_python_file(Path(__file__).parents[1], "frozen.py")

revision = "0001_own_tables"
down_revision = None
branch_labels = None
depends_on = None

LANES = (
    "outbox",
    "backfill_outbox",
    "event_outbox",
    "event_outbox_stdout",
    "event_outbox_eventgate",
    "event_outbox_kafka",
)
TABLES = (
    "outpatrol_own_table",
    "score_flight",
    "model_candidate",
    "formula_threshold",
    "event_ledger",
    "stream_position",
)


def upgrade() -> None:
    for lane in LANES:
        frozen.create_lane(lane)
    frozen.create_table("outpatrol_own_table", Column("name", String(64), primary_key=True))
    frozen.create_table(
        "score_flight",
        Column("score_id", frozen.binary_string(255), primary_key=True),
        Column("token", String(32)),
        Column("leased_until", frozen.Moment),
        Column("answer", frozen.Payload),
        Column("answer_until", frozen.Moment),
        Column("handed_over", frozen.Payload),
        Column("handed_over_by", String(32)),
        Column("handed_over_until", frozen.Moment),
        Column("runs_out", frozen.Moment, nullable=False),
    )
    frozen.create_index("score_flight", "runs_out", "runs_out")
    frozen.create_table(
        "model_candidate",
        Column("model", frozen.binary_string(32), primary_key=True),
        Column("version", frozen.binary_string(32), nullable=False),
        Column("since", frozen.Moment, nullable=False, server_default=frozen.now()),
    )
    frozen.create_table(
        "formula_threshold",
        Column("model", frozen.binary_string(32), primary_key=True),
        Column("version", frozen.binary_string(32), primary_key=True),
        Column("label", String(5), primary_key=True),
        Column("formula", String(100), primary_key=True),
        Column("threshold", Float(53)),
        Column("asked_at", frozen.Moment, nullable=False, server_default=frozen.now()),
    )
    frozen.create_table(
        "event_ledger",
        Column("id", frozen.AutoId, primary_key=True, autoincrement=True),
        Column("sink", String(16), nullable=False),
        Column("stream", String(128), nullable=False),
        Column("revision", frozen.UnsignedInt, nullable=False),
        Column("event_id", LargeBinary(16).with_variant(BINARY(16), *frozen.MARIADB), nullable=False),
        Column("delivered_at", frozen.Moment, nullable=False, server_default=frozen.now()),
    )
    frozen.create_index("event_ledger", "revision", "revision")
    frozen.create_index("event_ledger", "delivered_at", "delivered_at", "sink", "stream")
    frozen.create_table(
        "stream_position",
        Column("source", frozen.binary_string(255), primary_key=True),
        Column("event_id", Text, nullable=False),
        Column("read_at", frozen.Moment, nullable=False, server_default=frozen.now()),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        frozen.drop_table(table)
    for lane in reversed(LANES):
        frozen.drop_lane(lane)
