"""Scores that somebody asks for now: by the same single flight as those of edits; no rows, and no event."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from outbox.details import MOST
from outbox.errors import OutboxError
from outbox.mediawiki.reading import pages_of
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable, ScoreRefused, WorkerError
from worker.domain.failures import Failure
from worker.domain.scores import FEATURES, UNKNOWN_VERSION, NoAnswer, Score, ScoreId
from worker.endpoints.pacer import on_demand
from worker.endpoints.scoring_client import ScoringClient
from worker.flight.flight import Flight, FlightResult
from worker.scores.model_versions import current_models, model_ids


async def scores_on_demand(wiki: Wiki, ids: Sequence[ScoreId], flight: Flight, client: ScoringClient) -> list[ScoreId]:
    """Get answers to *ids*, each shared with whoever else wants it; they are left under their ids, failures too.

    Returns those that somebody else is computing, who will leave them there. Ids of unknown models and of revisions
    that no column holds are left out: whoever asks knows better.
    """
    known = [each for each in ids if each.model in wiki.models and each.revision <= MOST]
    result = await _answered_on_demand(wiki, known, flight, client)
    log.info("scores_answered", wiki=wiki.id, scores=len(known), called=result.called, shared=result.shared)
    return result.under_way()


async def score_on_demand(wiki: Wiki, score_id: ScoreId, flight: Flight, client: ScoringClient) -> Score | None:
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
    result = await _answered_on_demand(wiki, [score_id], flight, client)
    log.info("score_answered", wiki=wiki.id, score_id=str(score_id), called=result.called, shared=result.shared)
    answer = result.answers[score_id]
    if isinstance(answer, Score):
        return answer
    if not isinstance(answer, NoAnswer):
        raise ScoreRefused(f"{score_id}: {answer.type}: {answer.message}")
    if answer.failure is Failure.ELSEWHERE:
        return None
    raise EndpointUnavailable(f"{score_id}: {answer.error}", answer.failure, answer.retry_after)


async def _answered_on_demand(
    wiki: Wiki, ids: Sequence[ScoreId], flight: Flight, client: ScoringClient
) -> FlightResult:
    """What can be had of *ids* without waiting for others who compute them."""
    with _told_to_those_who_wait(ids, flight):
        homeless = [each.revision for each in ids if wiki.models[each.model].server.needs_page]
        if homeless:
            pages = wiki.database.run(lambda connection: pages_of(connection, homeless))
            ids = [replace(each, page=pages.get(each.revision)) for each in ids]
        with on_demand():
            result = await flight.scores(ids, client.score, patience=0)
        _after_scoring(wiki, flight, result)
        return result


@contextmanager
def _told_to_those_who_wait(ids: Sequence[ScoreId], flight: Flight) -> Iterator[None]:
    """Pass errors on, and hand over that this time there is no answer to *ids*, unless there is one already.

    Flight itself hands over only what the endpoint did. Whoever else waits would ask again until its time is over.
    """
    try:
        yield
    except Exception as error:
        is_sentence = isinstance(error, OutboxError | WorkerError)
        said = str(error) if is_sentence else f"a worker failed ({type(error).__name__}); see its log"
        flight.keep(dict.fromkeys(ids, NoAnswer(said, Failure.TRANSIENT)))
        raise


def _after_scoring(wiki: Wiki, flight: Flight, result: FlightResult) -> None:
    """Leave for others what they could not see, and make versions current of models of which nobody knew one."""
    if result.cached:
        flight.keep({score_id: result.answers[score_id] for score_id in result.cached})
    answers = [answer for score_id, answer in result.answers.items() if score_id.version.startswith(UNKNOWN_VERSION)]
    seen = [(answer.model, answer.version.removesuffix(FEATURES)) for answer in answers if isinstance(answer, Score)]
    # The answers are there, whatever becomes of this.
    with suppress(OutboxError):
        if seen:
            wiki.database.run(lambda connection: model_ids(connection, seen, current_models(connection)))
