"""Logging: one JSON object a line on standard error, with the ids in fields and never an address or a secret."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

import structlog

from outbox.messages import Claim, Dead, Outcome

#: Names of log events. Every line a worker writes about its work has one of these as `event`.
EVENTS = {
    "edits_settled": "one batch of edits was settled; the canonical line, with all its counts",
    "events_settled": "one batch of events was settled",
    "score_answered": "an on-demand request was answered",
    "lease_lost": "a lease ran out before its messages were settled; nothing was written for them",
    "message_buried": "a message was given up",
    "redis_gone": "Redis does not answer; scores are shared through the databases meanwhile",
    "tier_unavailable": "neither Redis nor the database could be asked who computes what; calls may be repeated",
    "redis_back": "Redis answers again",
    "doorbell_silent": "a doorbell could not be rung; the poll finds the work",
    "sink_unavailable": "the sink took no events; they wait",
    "circuit_opened": "the endpoint serves nobody; claiming edits pauses until it serves again",
    "circuit_closed": "the endpoint serves again",
    "endpoint_unavailable": "the endpoint tells no model versions; the edits wait",
    "task_failed": "a task ended with an error that names its cure",
    "model_version_changed": "a model's current version is another one now",
    "model_version_checked": "a model's version is not simply the current one: new, mixed, or not told",
    "formula_unreachable": "no threshold reaches a formula; its level does not exist",
    "scores_purged": "rows that no reader sees were removed",
    "scores_promised": "edits lack scores of a new model version, and will be scored again",
    "stream_ended": "a stream of edits ended, as they do after a while; listening goes on with a new connection",
    "stream_interrupted": "a stream of edits broke off; listening goes on where it ended",
    "database_unavailable": "a wiki's database is not there; what was heard waits",
    "edit_not_saved": "an edit contradicts what the wiki has; it is left out",
    "events_missing": "edits were never announced; they were promised again",
    "recent_changes_expired": "old changes left recentchanges",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger("outpatrol")


def configure_logging(level: str = "INFO") -> None:
    """Write this process' log, Celery's included, as JSON lines to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("celery.beat").addFilter(_without_traceback)
    # A line per request and per polled task says nothing an operator needs.
    for noisy in ("httpx", "httpcore", "celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _without_traceback(record: logging.LogRecord) -> bool:
    """Beat writes its whole stack each time Redis is not there; the sentence says as much."""
    if record.exc_info and record.exc_info[1] is not None:
        record.msg, record.args = "%s: %s", (record.name, record.exc_info[1])
        record.exc_info = None
    return True


def tell_batch(
    event: str, wiki: str, outcomes: Mapping[Claim, Outcome], kept: Set[Claim], started: float, **fields: int | str
) -> None:
    """Write the canonical line of one settled batch, and a line for each message that was lost or buried.

    *started* is monotonic seconds; *fields* are further fields of the line.
    """
    ends = Counter(type(outcome).__name__ for claim, outcome in outcomes.items() if claim in kept)
    log.info(
        event,
        wiki=wiki,
        claimed=len(outcomes),
        delivered=ends["Delivered"],
        retried=ends["RetryLater"],
        dead=ends["Dead"],
        lost=len(outcomes) - len(kept),
        milliseconds=round((time.monotonic() - started) * 1000),
        **fields,
    )
    if len(kept) < len(outcomes):
        lost = sorted(claim.message for claim in outcomes if claim not in kept)
        log.warning("lease_lost", wiki=wiki, messages=lost)
    for claim, outcome in outcomes.items():
        if claim in kept and isinstance(outcome, Dead):
            log.error("message_buried", wiki=wiki, message=claim.message, reason=outcome.reason, error=outcome.error)
