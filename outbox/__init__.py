"""The promise: every edit recorded here in its own transaction will be scored and announced.

A wiki calls `record` (or, on the emulated wiki, `save_edit`) inside the transaction that saves the edit. Whoever keeps
the promises uses `claim`, `renew` and `settle`. This package knows no Celery, no Redis and no HTTP.
"""

from outbox.claiming import claim, renew
from outbox.edits import Edit, EditSource, PatrolStatus, must_be_stored
from outbox.messages import Claim, Dead, Delivered, Outcome, RetryLater
from outbox.recording import record, record_payloads
from outbox.settling import settle
from outbox.tables import BACKFILL, EDITS, EVENTS, LANES, Lane

__all__ = [
    "BACKFILL",
    "EDITS",
    "EVENTS",
    "LANES",
    "Claim",
    "Dead",
    "Delivered",
    "Edit",
    "EditSource",
    "Lane",
    "Outcome",
    "PatrolStatus",
    "RetryLater",
    "claim",
    "must_be_stored",
    "record",
    "record_payloads",
    "renew",
    "settle",
]
