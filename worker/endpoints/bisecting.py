"""One score that can't be had spoils its whole request: find it, keep the others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter

from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreError, ScoreId

Ask = Callable[[Sequence[ScoreId]], Awaitable[dict[ScoreId, Answer]]]

#: What failed is cut in two so often without any part doing better: one bad revision shows in a cut by revision, one
#: bad model in a cut by model.
MOST_CUTS_IN_VAIN = 2
#: Refusals that may be about one score of those asked for; any other is about who asks, or how.
ABOUT_THE_SCORES = {400, 413, 414, 422}


class Refused(Exception):
    """The endpoint refuses the request as such, with a status of 4xx; asking again would not help."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def bisected(ids: Sequence[ScoreId], ask: Ask) -> dict[ScoreId, Answer]:
    """Return an answer for each of *ids*: of *ask* for all, or where that fails over one of them, of parts.

    A refusal is final, so it is followed down to the score that caused it. A request that failed may fail in every
    part, and is not asked for again and again where no part did better.
    """
    return await _answers(ids, await _attempt(ids, ask), ask, in_vain=0)


async def _answers(
    ids: Sequence[ScoreId], result: dict[ScoreId, Answer] | Refused | EndpointUnavailable, ask: Ask, in_vain: int
) -> dict[ScoreId, Answer]:
    if isinstance(result, dict):
        return result
    parts = _parts(ids, result, in_vain)
    if not parts:
        return _final(ids, result)
    results = await asyncio.gather(*(_attempt(part, ask) for part in parts))
    in_vain = in_vain + 1 if all(isinstance(each, EndpointUnavailable) for each in results) else 0
    answers = await asyncio.gather(
        *(_answers(part, each, ask, in_vain) for part, each in zip(parts, results, strict=True))
    )
    return {score_id: answer for each in answers for score_id, answer in each.items()}


async def _attempt(ids: Sequence[ScoreId], ask: Ask) -> dict[ScoreId, Answer] | Refused | EndpointUnavailable:
    try:
        return await ask(ids)
    except (Refused, EndpointUnavailable) as error:
        return error


def _parts(ids: Sequence[ScoreId], error: Refused | EndpointUnavailable, in_vain: int) -> list[list[ScoreId]]:
    """*ids* in two; nothing where parts would fare no better."""
    by_model, by_revision = _halves(ids, "model"), _halves(ids, "revision")
    if isinstance(error, Refused):
        # What is not there for one revision is not there for any: the wiki or the model is unknown.
        if error.status == 404:
            return by_model
        return (by_model or by_revision) if error.status in ABOUT_THE_SCORES else []
    if error.failure is not Failure.TRANSIENT or in_vain == MOST_CUTS_IN_VAIN:
        return []
    return (by_model or by_revision) if in_vain else (by_revision or by_model)


def _halves(ids: Sequence[ScoreId], part: str) -> list[list[ScoreId]]:
    """*ids* in two, each with half of the models or of the revisions; nothing if there is but one."""
    of = attrgetter(part)
    values = sorted({of(score_id) for score_id in ids})
    first = set(values[: len(values) // 2])
    if not first:
        return []
    return [[score_id for score_id in ids if (of(score_id) in first) is is_first] for is_first in (True, False)]


def _final(ids: Sequence[ScoreId], error: Refused | EndpointUnavailable) -> dict[ScoreId, Answer]:
    if isinstance(error, EndpointUnavailable):
        return dict.fromkeys(ids, NoAnswer(str(error), error.failure, error.retry_after))
    return {score_id: _refusal(score_id, error) for score_id in ids}


def _refusal(score_id: ScoreId, error: Refused) -> ScoreError:
    """The final error that a refused request is for one score.

    Source of the texts: machinelearning/liftwing inference-services, revscoring_model @ bce944c0.
    """
    text = str(error)
    gone = error.status == 422 or "does not have any info related to the rev-id" in text
    kind = "RevisionNotFound" if gone else "BadRequest"
    return ScoreError(model=score_id.model, version=score_id.version, type=kind, message=text)
