"""The life of an edit, in one straight line. Read this file first.

    claim → plan → score → settle          (drain_edits, drain_backfill)
    claim → send → settle                  (publish_events)

Claiming and settling are short transactions; none is open while an endpoint or a sink is waited for. There is one path
for failure: a claim is settled with `RetryLater` or with `Dead`, and a worker that dies settles nothing, so that its
leases run out. An edit that is given up is announced all the same, with its errors.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.orm import Session

from outbox import (
    BACKFILL,
    EDITS,
    EVENTS,
    Claim,
    Edit,
    Lane,
    Outcome,
    claim,
    must_be_stored,
    record_payloads,
    renew,
    settle,
)
from outbox.edits import MOST
from outbox.inspection import has_work
from outbox.mediawiki import pages_of
from worker.classification.model_versions import KnownModel, KnownModels, current_models, model_ids
from worker.classification.rows import rows_of
from worker.classification.store import forget, store
from worker.errors import EndpointUnavailable, ScoreRefused, SinkUnavailable
from worker.events.build import revision_score_event
from worker.failures import Failure
from worker.missing import missing_models
from worker.scores import NoAnswer, Score, ScoreId
from worker.scoring.plan import plan
from worker.telemetry import log, tell_batch
from worker.verdicts import Verdict, delivery, numbered, read_edits, read_events, verdict
from worker.wiki import Wiki

#: Stands for the version in the ids of scores of which nobody could tell it.
UNKNOWN_VERSION = "unknown"

Ring = Callable[[], None]


async def drain_edits(wiki: Wiki, *, until: float, more: Ring, settled: Ring, news: Ring) -> bool:
    """Score and settle the edits of *wiki* until none is ready, or until the monotonic time *until*.

    Claims no more than the endpoint can take soon, and nothing while its circuit is open: the next poll looks again.

    Rings *more* on each full batch, so that an idle worker joins in, *settled* when there are events to publish, and
    *news* when a score is of another version of its model than the current one.
    Returns whether time ran out, and so whether work may be left.
    """

    async def work(claims: Sequence[Claim]) -> None:
        if await score_edits(wiki, claims):
            news()
        settled()

    def appetite() -> int:
        return min(wiki.outbox.batch_size, wiki.client.appetite(wiki.models))

    return await _drain(wiki, EDITS, work, appetite, until=until, more=more)


async def drain_backfill(wiki: Wiki, *, until: float, more: Ring) -> bool:
    """Score edits of the past whose rows are missing, as `drain_edits` does, while no edit waits that was just saved.

    They were announced when they were saved, and are not again.
    """

    async def work(claims: Sequence[Claim]) -> None:
        await score_edits(wiki, claims, BACKFILL)

    def appetite() -> int:
        with wiki.database.reading() as connection:
            if has_work(connection, EDITS):
                return 0
        return min(wiki.outbox.batch_size, wiki.client.appetite(wiki.models))

    return await _drain(wiki, BACKFILL, work, appetite, until=until, more=more)


async def publish_events(wiki: Wiki, *, until: float, more: Ring) -> bool:
    """Send and settle the events of *wiki* as `drain_edits` does the edits."""
    return await _drain(
        wiki, EVENTS, partial(send_events, wiki), lambda: wiki.outbox.batch_size, until=until, more=more
    )


async def score_edits(wiki: Wiki, claims: Sequence[Claim], lane: Lane = EDITS) -> bool:
    """Score the claimed edits and settle them all in one transaction.

    Returns whether a score is of another version of its model than the one that is current.
    """
    started, most = time.monotonic(), wiki.outbox.max_attempts
    edits, outcomes = read_edits(claims, most)
    async with _held(wiki, lane, claims):
        known = await _known_models(wiki, edits)
        asked = {claim: _score_ids(wiki, edit, known) for claim, edit in edits.items()}
        if lane is BACKFILL:
            asked = _only_missing(wiki, asked, edits)
        # A message that was claimed too often may be what killed its workers: it is settled unscored.
        wanted = [score_id for claim in edits if claim.attempt <= most for score_id in asked[claim]]
        flown = await wiki.flight.scores(wanted, partial(wiki.client.score, pages=_pages(edits.values())))
    verdicts = [
        verdict(claim, edit, asked[claim], flown.answers, wiki.models, most, is_outage=flown.is_outage)
        for claim, edit in edits.items()
    ]
    settlement = partial(_settle_edits, wiki=wiki, lane=lane, verdicts=verdicts, outcomes=outcomes, known=known)
    outcomes, kept = wiki.database.run(settlement)
    tell_batch("edits_settled", wiki.id, outcomes, kept, started, called=flown.called, shared=flown.shared)
    scores = [score for each in verdicts for score in each.scores if score.model in known]
    return any(score.version != known[score.model].version for score in scores)


async def send_events(wiki: Wiki, claims: Sequence[Claim]) -> None:
    """Send the claimed events to the sink and settle them."""
    started = time.monotonic()
    events, outcomes = read_events(claims, wiki.outbox.max_attempts)
    failure: SinkUnavailable | None = None
    async with _held(wiki, EVENTS, claims):
        try:
            await asyncio.to_thread(wiki.sink.send, list(events.values()))
        except SinkUnavailable as error:
            failure = error
            log.warning("sink_unavailable", wiki=wiki.id, error=str(error), events=len(events))
    outcomes |= {claim: delivery(claim, failure) for claim in events}
    kept = wiki.database.run(lambda session: settle(session, EVENTS, outcomes))
    tell_batch("events_settled", wiki.id, outcomes, kept, started)


async def score_on_demand(wiki: Wiki, score_id: ScoreId) -> Score | None:
    """Answer one request for a score, sharing the call with whoever else wants it; stores no rows, sends no event.

    Returns None, without waiting, where somebody else is computing it; they leave it under the same id.

    Raises:
        EndpointUnavailable: no answer this time.
        ScoreRefused: a final answer that is no score.
    """
    if score_id.model not in wiki.models:
        raise ScoreRefused(f"{score_id}: {wiki.id} has no such model; add it to wikis.{wiki.id}.models")
    if score_id.revision > MOST:
        raise ScoreRefused(f"{score_id}: revision ids end at {MOST}, as MediaWiki's columns do")
    pages = {}
    if wiki.models[score_id.model].server.needs_page:
        pages = wiki.database.run(lambda session: pages_of(session, [score_id.revision]))
    call = partial(wiki.client.score, pages=pages)
    flown = await wiki.flight.scores([score_id], call, patience=0)
    log.info("score_answered", wiki=wiki.id, score_id=str(score_id), called=flown.called, shared=flown.shared)
    answer = flown.answers[score_id]
    if isinstance(answer, Score):
        return answer
    if not isinstance(answer, NoAnswer):
        raise ScoreRefused(f"{score_id}: {answer.type}: {answer.message}")
    if answer.failure is Failure.ELSEWHERE:
        return None
    raise EndpointUnavailable(f"{score_id}: {answer.error}", answer.failure, answer.retry_after)


async def _drain(
    wiki: Wiki,
    lane: Lane,
    work: Callable[[Sequence[Claim]], Awaitable[None]],
    appetite: Callable[[], int],
    *,
    until: float,
    more: Ring,
) -> bool:
    lease = wiki.outbox.lease
    while size := appetite():
        claims = wiki.database.run(partial(claim, lane=lane, limit=size, lease=lease))
        if not claims:
            return False
        if len(claims) == size:
            more()
        await work(claims)
        if time.monotonic() >= until:
            return True
    return False


@asynccontextmanager
async def _held(wiki: Wiki, lane: Lane, claims: Sequence[Claim]) -> AsyncIterator[None]:
    """Renew the lease of *claims* while the work on them goes on; one that is lost all the same is fenced off later."""
    lease = wiki.outbox.lease

    async def renewing() -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            await asyncio.to_thread(wiki.database.run, lambda session: renew(session, lane, claims, lease=lease))

    task = asyncio.create_task(renewing())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _known_models(wiki: Wiki, edits: Mapping[Claim, Edit]) -> KnownModels:
    """The current versions of the wiki's models; the endpoint is asked for those the database does not have yet."""
    known = dict(wiki.database.run(current_models))
    missing = [model for model in wiki.models if model not in known]
    sample = next((edit for edit in edits.values() if set(missing) & set(plan(edit, wiki.models))), None)
    if sample is None:
        return known
    try:
        found = await wiki.client.versions(wiki.id, missing, sample.revision, _pages([sample]))
    except EndpointUnavailable as error:
        log.warning("endpoint_unavailable", wiki=wiki.id, error=str(error))
        return known
    ids = wiki.database.run(lambda session: model_ids(session, list(found.items()), known))
    return known | {
        model: KnownModel(version, ids[model, version]) for model, version in found.items() if (model, version) in ids
    }


def _pages(edits: Iterable[Edit]) -> dict[int, int]:
    return {edit.revision: edit.page for edit in edits}


def _score_ids(wiki: Wiki, edit: Edit, known: KnownModels) -> list[ScoreId]:
    return [
        ScoreId(wiki.id, model, edit.revision, known[model].version if model in known else UNKNOWN_VERSION)
        for model in plan(edit, wiki.models)
    ]


def _only_missing(
    wiki: Wiki, asked: Mapping[Claim, list[ScoreId]], edits: Mapping[Claim, Edit]
) -> dict[Claim, list[ScoreId]]:
    missing = wiki.database.run(lambda session: missing_models(session, wiki, edits.values()))
    return {
        claim: [score_id for score_id in ids if score_id.model in missing.get(score_id.revision, ())]
        for claim, ids in asked.items()
    }


def _settle_edits(
    session: Session,
    wiki: Wiki,
    lane: Lane,
    verdicts: Sequence[Verdict],
    outcomes: Mapping[Claim, Outcome],
    known: KnownModels,
) -> tuple[dict[Claim, Outcome], frozenset[Claim]]:
    """One transaction: the messages go, the rows that patrollers need and an event for every edit come."""
    ids = model_ids(session, [(score.model, score.version) for each in verdicts for score in each.scores], known)
    leaves_rows = partial(must_be_stored, bots_are_autopatrolled=wiki.settings.bots_are_autopatrolled)
    verdicts = [numbered(each, ids, wiki.models) if leaves_rows(each.edit) else each for each in verdicts]
    outcomes = {**outcomes, **{each.claim: each.outcome for each in verdicts}}
    kept = settle(session, lane, outcomes)
    final = [each for each in verdicts if each.is_final and each.claim in kept]
    stored = [each for each in final if leaves_rows(each.edit)]
    store(
        session,
        [
            row
            for each in stored
            for score in each.scores
            if (score.model, score.version) in ids
            for row in rows_of(score, each.edit.revision, ids[score.model, score.version], wiki.models[score.model])
        ],
    )
    cleaned = {name for name, model in wiki.models.items() if model.clean_parent}
    scored = {score.model for each in stored for score in each.scores}
    forget(session, {each.edit.parent_revision for each in stored}, cleaned & scored)
    if lane is not BACKFILL:
        domain, now = wiki.settings.domain, datetime.now(UTC)
        events = [
            revision_score_event(each.edit, each.answers, domain=domain, stream=wiki.stream, now=now) for each in final
        ]
        record_payloads(session, EVENTS, [event.encode() for event in events])
    return outcomes, kept
