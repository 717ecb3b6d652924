"""The promise: every edit recorded here in its own transaction will be scored and announced.

A wiki calls `record` inside the transaction that saves the edit, `record_async` if its session is asynchronous, or
`record_statement` for a cursor of Django or of a database driver. A worker uses `claim`, `renew` and `settle`. This
package knows no Celery, no Redis and no HTTP. Its public names are those in `__all__`.
"""

from outbox.claiming import claim, claim_in_order, renew
from outbox.edits import Edit, EditSource, PatrolStatus
from outbox.errors import (
    DatabaseNotMigrated,
    DatabaseRefuses,
    DatabaseUnavailable,
    ForeignTables,
    OutboxError,
    PromiseNotAwaited,
    ServerGone,
    UndecodableMessage,
)
from outbox.messages import Claim, Dead, Delivered, Outcome, Released, RetryLater
from outbox.page_changes import PageChange, PageChangeKind
from outbox.recording import record, record_async, record_payloads, record_statement
from outbox.settling import settle
from outbox.tables import EDITS, Lane, lane

__all__ = [
    "EDITS",
    "Claim",
    "DatabaseNotMigrated",
    "DatabaseRefuses",
    "DatabaseUnavailable",
    "Dead",
    "Delivered",
    "Edit",
    "EditSource",
    "ForeignTables",
    "Lane",
    "OutboxError",
    "Outcome",
    "PageChange",
    "PageChangeKind",
    "PatrolStatus",
    "PromiseNotAwaited",
    "Released",
    "RetryLater",
    "ServerGone",
    "UndecodableMessage",
    "claim",
    "claim_in_order",
    "lane",
    "record",
    "record_async",
    "record_payloads",
    "record_statement",
    "renew",
    "settle",
]
