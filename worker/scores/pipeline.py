"""The life of an edit, in one straight line. Read this file first.

    claim → plan → score → settle          (drain_edits, drain_backfill)
    claim → send → settle                  (worker/events/publishing.py)

Claiming and settling are short transactions; none is open while an endpoint or a sink is waited for. There is one path
for failure: an edit is settled with `RetryLater` or with `Dead`, and a worker that dies settles nothing, so that its
leases run out. An edit that is given up is announced all the same, with its errors.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.orm import Session

from outbox import (
    BACKFILL,
    EDITS,
    EVENT_LANES,
    Claim,
    Edit,
    Lane,
    Outcome,
    must_be_stored,
    record_payloads,
    settle,
)
from outbox.edits import MOST
from outbox.inspection import has_work
from outbox.mediawiki import pages_of
from worker.config.telemetry import log, tell_batch
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable, ScoreRefused
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, Score, ScoreId
from worker.lanes.turn import Ring, drain, held
from worker.scores.missing import missing_models
from worker.scores.model_versions import KnownModel, KnownModels, current_models, model_ids
from worker.scores.outcomes import Verdict, numbered, read_edits, verdict
from worker.scores.plan import plan
from worker.scores.rows import rows_of
from worker.scores.store import forget, store

#: Stands for the version in the ids of scores of which nobody could tell it.
UNKNOWN_VERSION = "unknown"


async def drain_edits(wiki: Wiki, *, until: float, more: Ring, settled: Ring, news: Ring) -> bool:
    """Score and settle the edits of *wiki* until none is ready, or until the monotonic time *until*.

    Claims no more than the endpoint can take soon, and nothing while its circuit is open: the next poll looks again.

    Rings *more* on each full batch, so that an idle worker joins in, *settled* when there are events to publish, and
    *news* when a score is of another version of its model than the current one.
    Returns whether time ran out, and so whether work may be left.
    """

    async def work(claims: Sequence[Claim]) -> bool:
        if await score_edits(wiki, claims):
            news()
        settled()
        return True

    def appetite() -> int:
        return min(wiki.outbox.batch_size, wiki.client.appetite(wiki.models))

    return await drain(wiki, EDITS, work, appetite, until=until, more=more)


async def drain_backfill(wiki: Wiki, *, until: float, more: Ring) -> bool:
    """Score edits of the past whose rows are missing, as `drain_edits` does, while no edit waits that was just saved.

    They were announced when they were saved, and are not again.
    """

    async def work(claims: Sequence[Claim]) -> bool:
        await score_edits(wiki, claims, BACKFILL)
        return True

    def appetite() -> int:
        with wiki.database.reading() as connection:
            if has_work(connection, EDITS):
                return 0
        return min(wiki.outbox.batch_size, wiki.client.appetite(wiki.models))

    return await drain(wiki, BACKFILL, work, appetite, until=until, more=more)


async def score_edits(wiki: Wiki, claims: Sequence[Claim], lane: Lane = EDITS) -> bool:
    """Score the claimed edits and settle them all in one transaction.

    Returns whether a score is of another version of its model than the one that is current.
    """
    started, most = time.monotonic(), wiki.outbox.max_attempts
    edits, outcomes = read_edits(claims, most)
    async with held(wiki, lane, claims):
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
        now = datetime.now(UTC)
        events = [
            event.encode() for each in final for event in wiki.announcing.events_of(each.edit, each.answers, now=now)
        ]
        for sink in wiki.sinks:
            record_payloads(session, EVENT_LANES[sink], events)
    return outcomes, kept
