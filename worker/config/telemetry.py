"""Logging: one JSON object a line on standard error, with the ids in fields and never an address or a secret."""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Set
from math import inf
from pathlib import Path
from typing import Any

import structlog

from outbox.messages import Claim, Dead, Outcome
from worker.config.log_lines import handler, renderer
from worker.domain.redis_refusals import cure, redis_error, said

#: Seconds before the same message of a library about Redis is written again.
REPEAT_SECONDS = 60.0

#: Names of log events. Every line a worker writes about its work has one of these as `event`.
EVENTS = {
    "edits_settled": "one batch of edits was settled; the canonical line, with all its counts",
    "page_changes_answered": "page changes that are no edits were answered; rows or names were removed where necessary",
    "revisions_are_no_edits": "revisions of an attached wiki were left out: imported, restored, or made by a move",
    "not_attached": "nothing promises the edits of a wiki that is to be attached",
    "events_settled": "one batch of events was settled",
    "score_answered": "an on-demand request was answered",
    "scores_answered": "a request for several scores on demand was answered",
    "requests_answered": "what the front door did in the last seconds, counted",
    "request_failed": "a request at the front door met an unexpected error",
    "lease_lost": "a lease ran out before its messages were settled; nothing was written for them",
    "message_given_up": "a message was given up",
    "value_refused": "a database refuses what one message leads to; it is tried again, and given up in the end",
    "celery_silent": "Celery's thread waits, most likely for Redis; this process takes no tasks and polls by itself",
    "celery_heard": "Celery's thread goes on",
    "redis_gone": "Redis does not answer, or refuses to serve; `effect` says what that means for this process",
    "result_lost": "Redis did not store how a request for a score ended",
    "tier_unavailable": "neither Redis nor the database could be asked who computes what; calls may be repeated",
    "redis_back": "Redis serves again",
    "clock_skew": "this host's clock is not that of Redis",
    "clock_right": "this host's clock is that of Redis again",
    "queue_full": "a queue is so full that nothing is added; the poll finds the work",
    "tasks_untaken": "scheduled tasks have waited long in their queue",
    "message_dropped": "a message that is not ours was in one of our queues and was dropped",
    "connection_not_closed": "a broken connection to the broker could not be closed and was dropped",
    "wiki_unknown": "a task came for a wiki that the settings lack; it is passed on",
    "doorbell_silent": "a doorbell could not be rung; the poll finds the work",
    "sink_unavailable": "the sink took no events; they wait",
    "circuit_opened": "it fails, for that reason, and is asked only now and then until it serves again",
    "circuit_closed": "it serves again",
    "endpoint_unavailable": "the endpoint does not say which model versions it runs; the edits wait",
    "namespaces_unavailable": "a wiki's API does not name its namespaces; events of pages there go without a title",
    "page_ids_unavailable": "a wiki's API does not give page ids; events go without them, or wait, as the settings say",
    "task_failed": "a task ended with an error that names its cure",
    "model_version_changed": "a model's current version is another one now",
    "model_version_checked": "a check found something other than the current version: a new one, several, or none",
    "formula_unreachable": "no threshold satisfies a formula; its level does not exist",
    "scores_purged": "rows that no reader sees were removed",
    "scores_promised": "edits lack scores of a new model version, and will be scored again",
    "stream_ended": "a stream of edits ended, as streams do after a while; listening goes on with a new connection",
    "stream_interrupted": "a stream of edits broke off; listening goes on from there",
    "database_gone": "a database server serves nobody; its wikis wait",
    "database_back": "a database server serves again",
    "server_watch_failed": "a database server could not be asked, for an unforeseen reason; it is asked again",
    "database_unavailable": "a wiki's database does not answer or refuses; edits that were read wait",
    "wiki_set_apart": "its database alone is not available; it has a connection of its own to the stream from now on",
    "edit_not_saved": "the database refuses an edit in every way; it became a dead letter with the reason not_saved",
    "events_missing": "edits were never announced; they were queued again",
    "stream_unavailable": "the sink takes nothing of a stream; its events wait, and no attempt counts",
    "claims_not_given_back": "messages could not be given back at once; others have them when their lease runs out",
    "timer_failed": "a function that was called later failed",
    "process_ended": "a worker process ended unasked; it is started again",
    "process_killed": "a worker process did not end in time when it was asked to",
    "process_stuck": "a worker process makes no progress and ends, with its stacks after this line",
    "shutdown_cut_short": "a worker process was asked to end, and ends though tasks still run",
    "claims_given_back": "a process that ends gave back what it held",
    "recent_changes_expired": "old changes left recentchanges",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger("outpatrol")


def configure_logging(level: str = "INFO", file: Path | None = None) -> None:
    """Write this process' log, Celery's included, as JSON lines to *file* or to standard error.

    Raises:
        OSError: *file* can't be written.
    """
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
    writer = handler(file)
    writer.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer(file),
            ],
        )
    )
    root = logging.getLogger()
    writer.addFilter(_OneSentence())
    root.handlers = [writer]
    root.setLevel(level)
    # A line for each request and each polled task tells an operator nothing.
    for noisy in ("httpx", "httpcore", "celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


class _OneSentence(logging.Filter):
    """Replaces the stacks that Celery logs again and again while Redis does not serve by a sentence now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._written_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or redis_error(error) is None:
            return True
        now, sentence = time.monotonic(), f"{record.getMessage()}: {said(error)}; {cure(error)}"
        if now - self._written_at.get(sentence, -inf) < REPEAT_SECONDS:
            return False
        self._written_at = {each: at for each, at in self._written_at.items() if now - at < REPEAT_SECONDS}
        self._written_at[sentence] = now
        record.msg, record.args, record.exc_info = sentence, (), None
        return True


def tell_batch(
    event: str, wiki: str, outcomes: Mapping[Claim, Outcome], kept: Set[Claim], started: float, **fields: int | str
) -> None:
    """Log one settled batch: its canonical line, a line if leases were lost, and one for each new dead letter.

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
            log.error("message_given_up", wiki=wiki, message=claim.message, reason=outcome.reason, error=outcome.error)
