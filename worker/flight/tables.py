"""`score_flight`: leases and answers of single flight for the time in which Redis is gone."""

from sqlalchemy import Column, Index, String, Table

from outbox.columns import BinaryString, Moment, Payload
from outbox.tables import UTF8, metadata

#: Wiki, model, revision and version, each as long as its column allows, and the colons between them.
LONGEST_SCORE_ID = 255

score_flight = Table(
    "score_flight",
    metadata,
    Column("score_id", BinaryString(LONGEST_SCORE_ID), primary_key=True),
    Column("token", String(32)),
    Column("leased_until", Moment),
    Column("answer", Payload),
    Column("answer_until", Moment),
    Column("handed_over", Payload),
    Column("handed_over_by", String(32)),
    Column("handed_over_until", Moment),
    # The latest of the times above; after it the row may be deleted.
    Column("runs_out", Moment, nullable=False),
    Index("score_flight_runs_out", "runs_out"),
    **UTF8,
)
