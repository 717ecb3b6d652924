"""From a question to its answers: the cached scores, and those that workers compute in time."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outbox.details import MOST
from worker.domain.answers import Answers
from worker.domain.failures import Failure
from worker.domain.json_text import JsonObject
from worker.domain.scores import FEATURES, UNKNOWN_VERSION, Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.web.asking import RouteContext
from worker.web.informing import information_of
from worker.web.questions import Question
from worker.web.refusals import overloaded


@dataclass(slots=True, kw_only=True)
class Scored:
    """The answers to a question."""

    question: Question
    #: Model to the version of the answers, as far as it is known.
    versions: Mapping[str, str]
    #: Revision to model to answer.
    answers: Mapping[int, Mapping[str, Answer]] = field(default_factory=dict)
    #: Model to the information that was asked for.
    info: Mapping[str, JsonObject] = field(default_factory=dict)
    cached: int = 0
    #: Whether all answers were there before.
    is_cached: bool = False
    #: Whether some scores were not asked for, since too many requests are waiting.
    is_cut: bool = False


async def scored_from_cache(context: RouteContext, question: Question) -> Scored | None:
    """Answer *question* if everything that it asks for is there already; waits for nobody.

    Raises:
        RedisUnavailable: there is no way to look.
    """
    versions = context.asking.known_versions(question.wiki)
    if versions is None or question.info or not question.revisions:
        return None
    ids = _ids(context, question, versions)
    found = await context.asking.cached(ids)
    if found is None:
        return None
    answered = _answered(question, versions, {}, ids, found, 0.0)
    answered.is_cached = True
    return answered


async def scored(context: RouteContext, question: Question) -> Scored:
    """Answer *question*, within the time that a request has.

    Raises:
        Refusal: no part of it can be answered.
        RedisUnavailable: there is no way to look or to ask.
    """
    clock = asyncio.get_running_loop().time
    seconds = context.settings.timeout_seconds
    until = clock() + seconds
    versions = await context.asking.versions(question.wiki, seconds) or {}
    info = await information_of(context, question, versions, until - clock())
    if not question.revisions:
        return Scored(question=question, versions=versions, info=info)
    ids = _ids(context, question, versions)
    found = await context.asking.answers(ids, max(0.0, until - clock()))
    if ids and len(found.refused) == len(ids):
        raise overloaded()
    return _answered(question, versions, info, ids, found, seconds)


def _ids(context: RouteContext, question: Question, versions: Mapping[str, str]) -> list[ScoreId]:
    """The ids of the scores that are asked for, except those of revisions that can't exist."""
    featured = context.with_features if question.with_features else frozenset()
    wanted = [
        (model, versions.get(model, UNKNOWN_VERSION) + (FEATURES if model in featured else ""))
        for model in question.models
    ]
    return [
        ScoreId(question.wiki, model, revision, version)
        for revision in question.revisions
        if 0 < revision <= MOST
        for model, version in wanted
    ]


def _answered(
    question: Question,
    versions: Mapping[str, str],
    info: Mapping[str, JsonObject],
    ids: Sequence[ScoreId],
    found: Answers,
    seconds: float,
) -> Scored:
    answers: dict[int, dict[str, Answer]] = defaultdict(dict)
    for score_id in ids:
        answer = found.by_id.get(score_id)
        if score_id in found.refused:
            answer = NoAnswer("too many requests are waiting", Failure.THROTTLED)
        answers[score_id.revision][score_id.model] = answer or NoAnswer(_timed_out(seconds), Failure.LATE)
    for revision in question.revisions:
        if revision not in answers:
            answers[revision] = {model: _not_found(model, revision, versions) for model in question.models}
    return Scored(
        question=question,
        versions=_versions_of(versions, answers),
        answers=answers,
        info=info,
        cached=found.cached,
        is_cut=bool(found.refused),
    )


def _versions_of(current: Mapping[str, str], answers: Mapping[int, Mapping[str, Answer]]) -> dict[str, str]:
    """The current version of each model, or the one that all of its answers carry."""
    carried: dict[str, set[str]] = defaultdict(set)
    for by_model in answers.values():
        for model, answer in by_model.items():
            if isinstance(answer, Score):
                carried[model].add(answer.version.removesuffix(FEATURES))
    return {**current, **{model: next(iter(versions)) for model, versions in carried.items() if len(versions) == 1}}


def _timed_out(seconds: float) -> str:
    return f"Timed out after {seconds:g} seconds."


def _not_found(model: str, revision: int, versions: Mapping[str, str]) -> ScoreError:
    """No wiki has such a revision: no column holds its id."""
    return ScoreError(
        model=model,
        version=versions.get(model, UNKNOWN_VERSION),
        type="RevisionNotFound",
        message=f"RevisionNotFound: Could not find revision ({{revision}}:{revision})",
    )
