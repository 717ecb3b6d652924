"""The promise: every edit recorded here in its own transaction will be scored and announced.

A wiki calls `record` (or, on the emulated wiki, `save_edit`) inside the transaction that saves the edit. Whoever keeps
the promises uses `claim`, `renew` and `settle`. This package knows no Celery, no Redis and no HTTP.
"""

from outbox.claiming import claim, claim_in_order, renew
from outbox.edits import Edit, EditSource, PatrolStatus
from outbox.messages import Claim, Dead, Delivered, Outcome, Released, RetryLater
from outbox.recording import record, record_payloads
from outbox.settling import settle
from outbox.tables import EDITS, Lane, lane

__all__ = [
    "EDITS",
    "Claim",
    "Dead",
    "Delivered",
    "Edit",
    "EditSource",
    "Lane",
    "Outcome",
    "PatrolStatus",
    "Released",
    "RetryLater",
    "claim",
    "claim_in_order",
    "lane",
    "record",
    "record_payloads",
    "renew",
    "settle",
]
