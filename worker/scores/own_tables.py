"""What Outpatrol keeps beside Extension:ORES' tables: versions that may become current, and the results of formulas."""

from sqlalchemy import Column, Float, String, Table

from outbox.columns import BinaryString, Moment, database_now
from outbox.tables import UTF8, lane, metadata

#: Edits of the past whose scores are missing.
BACKFILL = lane("backfill_outbox")

#: A version of a model that most replies carry, though another is current; a model without one has no row.
model_candidate = Table(
    "model_candidate",
    metadata,
    Column("model", BinaryString(32), primary_key=True),
    Column("version", BinaryString(32), nullable=False),
    Column("since", Moment, nullable=False, server_default=database_now()),
    **UTF8,
)

#: The threshold at which a class of one version of a model reaches a formula; NULL where none does.
formula_threshold = Table(
    "formula_threshold",
    metadata,
    Column("model", BinaryString(32), primary_key=True),
    Column("version", BinaryString(32), primary_key=True),
    Column("label", String(5), primary_key=True),
    Column("formula", String(100), primary_key=True),
    Column("threshold", Float(53)),
    Column("asked_at", Moment, nullable=False, server_default=database_now()),
    **UTF8,
)
