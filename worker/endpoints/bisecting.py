"""One score that can't be had makes its whole request fail: find that score, and get the others without it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter

from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreError, ScoreId

Ask = Callable[[Sequence[ScoreId]], Awaitable[dict[ScoreId, Answer]]]

#: How often a failed request is cut in two although no part did better: one bad revision shows in a cut by revision,
#: one bad model in a cut by model.
MOST_CUTS_IN_VAIN = 2
#: Statuses that refuse a request as too large, whoever sends them.
TOO_LARGE = {413, 414}
#: Statuses that, with the endpoint's own words, may be about some of the scores asked for. An error can have that of
#: success.
ABOUT_SCORES = {200, 400, 404, 422}


class RequestRefused(EndpointUnavailable):
    """The endpoint refuses the request as a whole: because of the revisions in *said*, or of none that it names.

    *sentence* is what it says in its own words; empty if it says nothing, or if somebody else answers.
    """

    def __init__(
        self,
        message: str,
        status: int,
        sentence: str,
        said: Mapping[int, str | Failure],
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, Failure.REFUSED, retry_after)
        self.status = status
        self.sentence = sentence
        self.said = said

    def answer(self, score_id: ScoreId) -> Answer:
        """What it says of *score_id*, whose revision is in `said`."""
        says = self.said[score_id.revision]
        if isinstance(says, Failure):
            return NoAnswer(str(self), says, self.retry_after)
        return ScoreError(model=score_id.model, version=score_id.version, type=says, message=self.sentence)


async def bisected(ids: Sequence[ScoreId], ask: Ask) -> dict[ScoreId, Answer]:
    """Return an answer for each of *ids*: from *ask* for all of them or, if that fails because of one, for parts.

    What a refusal says of a revision is that revision's answer, and the others are asked for without it. Any other
    failure may hit every part, so parts are not asked for again and again if none did better.
    """
    try:
        return await ask(ids)
    except EndpointUnavailable as error:
        return await _answers(ids, error, ask, in_vain=0, others_served=False)


async def _answers(
    ids: Sequence[ScoreId],
    result: dict[ScoreId, Answer] | EndpointUnavailable,
    ask: Ask,
    in_vain: int,
    *,
    others_served: bool,
) -> dict[ScoreId, Answer]:
    if isinstance(result, dict):
        return result
    if isinstance(result, RequestRefused) and result.said:
        named = {score_id: result.answer(score_id) for score_id in ids if score_id.revision in result.said}
        rest = [score_id for score_id in ids if score_id not in named]
        return named | (await bisected(rest, ask) if rest else {})
    parts = _parts(ids, result, in_vain)
    if not parts:
        return _unanswered(ids, result, others_served=others_served)
    results = await asyncio.gather(*(_attempt(part, ask) for part in parts))
    did_better = [isinstance(each, dict) or bool(isinstance(each, RequestRefused) and each.said) for each in results]
    in_vain = 0 if any(did_better) else in_vain + 1
    # Cut by revision, so that a revision was at fault if the others did better without it.
    others_served = others_served or (any(did_better) and _models(parts[0]) == _models(parts[1]))
    answers = await asyncio.gather(
        *(
            _answers(part, each, ask, in_vain, others_served=others_served)
            for part, each in zip(parts, results, strict=True)
        )
    )
    return {score_id: answer for each in answers for score_id, answer in each.items()}


async def _attempt(ids: Sequence[ScoreId], ask: Ask) -> dict[ScoreId, Answer] | EndpointUnavailable:
    try:
        return await ask(ids)
    except EndpointUnavailable as error:
        return error


def _parts(ids: Sequence[ScoreId], error: EndpointUnavailable, in_vain: int) -> list[list[ScoreId]]:
    """*ids* in two parts; empty if parts would fail, too."""
    if in_vain == MOST_CUTS_IN_VAIN:
        return []
    by_model, by_revision = _halves(ids, "model"), _halves(ids, "revision")
    if isinstance(error, RequestRefused):
        if not (error.status in TOO_LARGE or (error.status in ABOUT_SCORES and error.sentence)):
            return []
        # What is not found for one revision is not found for any: the wiki or the model is unknown.
        if error.status == 404:
            return by_model
    elif error.failure is not Failure.TRANSIENT:
        return []
    return (by_model or by_revision) if in_vain else (by_revision or by_model)


def _halves(ids: Sequence[ScoreId], part: str) -> list[list[ScoreId]]:
    """*ids* in two parts, each with half of the models or of the revisions; empty if there is only one."""
    of = attrgetter(part)
    values = sorted({of(score_id) for score_id in ids})
    first = set(values[: len(values) // 2])
    if not first:
        return []
    return [[score_id for score_id in ids if (of(score_id) in first) is is_first] for is_first in (True, False)]


def _models(ids: Sequence[ScoreId]) -> set[str]:
    return {score_id.model for score_id in ids}


def _unanswered(ids: Sequence[ScoreId], error: EndpointUnavailable, *, others_served: bool) -> dict[ScoreId, Answer]:
    """`NoAnswer` for each; a refusal that hits one revision while others are served is that revision's failure."""
    is_of_one = others_served and len({score_id.revision for score_id in ids}) == 1
    failure = Failure.TRANSIENT if is_of_one and error.failure is Failure.REFUSED else error.failure
    return dict.fromkeys(ids, NoAnswer(str(error), failure, error.retry_after))
