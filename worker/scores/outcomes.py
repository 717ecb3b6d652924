"""What becomes of a claimed message, once everything about it is known. Pure: the only place that decides outcomes."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from outbox.backoff import backoff
from outbox.edits import MOST, Edit
from outbox.errors import UndecodableMessage
from outbox.messages import Claim, Dead, Delivered, Outcome, Released, RetryLater
from worker.domain.failures import burns_attempt
from worker.domain.models import ScoringModel
from worker.domain.scores import Answer, Final, NoAnswer, Score, ScoreError, ScoreId
from worker.events.sinks import Mishap, OutgoingEvent, Refused, Untaken
from worker.scores.rows import unknown_class

#: Claims beyond the last attempt in which an edit is not scored any more, but announced as given up. What kills its
#: worker even then is buried unannounced.
ANNOUNCEMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an edit's claim ends, and what is announced of the edit if this is the end of it."""

    claim: Claim
    edit: Edit
    outcome: Outcome
    answers: tuple[Final, ...]

    @property
    def is_final(self) -> bool:
        """Whether rows and the event are due now; an edit that is retried has neither yet."""
        return not isinstance(self.outcome, RetryLater)

    @property
    def scores(self) -> tuple[Score, ...]:
        return tuple(answer for answer in self.answers if isinstance(answer, Score))


def read_edits(claims: Sequence[Claim], max_attempts: int) -> tuple[dict[Claim, Edit], dict[Claim, Outcome]]:
    """Read the edits out of *claims*; what can't be read is poison and buried at once, with its reason."""
    edits: dict[Claim, Edit] = {}
    outcomes: dict[Claim, Outcome] = {}
    for claim in claims:
        if claim.attempt > max_attempts + ANNOUNCEMENTS:
            outcomes[claim] = _exhausted(claim)
            continue
        try:
            edits[claim] = Edit.decode(claim.payload)
        except UndecodableMessage as error:
            outcomes[claim] = Dead("undecodable", str(error))
    return edits, outcomes


def read_events(claims: Sequence[Claim], max_attempts: int) -> tuple[dict[Claim, OutgoingEvent], dict[Claim, Outcome]]:
    """Read the events out of *claims*; what names no stream is buried at once."""
    events: dict[Claim, OutgoingEvent] = {}
    outcomes: dict[Claim, Outcome] = {}
    for claim in claims:
        if claim.attempt > max_attempts:
            outcomes[claim] = _exhausted(claim)
            continue
        try:
            events[claim] = _event(claim.payload)
        except (ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError) as error:
            outcomes[claim] = Dead("undecodable", f"the payload is no event: {type(error).__name__}: {error}")
    return events, outcomes


def in_page_order(events: Mapping[Claim, OutgoingEvent]) -> list[Claim]:
    """The claims of *events* in their order, but those of one page and stream by revision among their places."""
    places: dict[tuple[str, str, int], list[Claim]] = defaultdict(list)
    for claim, event in events.items():
        places[event.stream, event.wiki, event.page].append(claim)
    by_revision = {
        key: iter(sorted(claims, key=lambda claim: events[claim].revision)) for key, claims in places.items()
    }
    return [next(by_revision[event.stream, event.wiki, event.page]) for event in events.values()]


def _event(payload: str) -> OutgoingEvent:
    """Raises ValueError, LookupError or the like if *payload* names no stream."""
    event = json.loads(payload)
    meta, page, revision = event["meta"], event.get("page") or {}, event.get("revision") or {}
    if not (isinstance(meta["stream"], str) and meta["stream"]):
        raise ValueError("it names no stream")
    return OutgoingEvent(
        stream=meta["stream"],
        id=str(meta.get("id", "")),
        body=payload,
        wiki=str(event.get("database") or event.get("wiki_id") or ""),
        page=_number(event.get("page_id") or page.get("page_id") or 0),
        revision=_number(event.get("rev_id") or revision.get("rev_id") or 0),
    )


def _number(value: Any) -> int:
    """An id of a page or a revision; raises ValueError, OverflowError or TypeError for what no column would hold."""
    number = int(value)
    if not 0 <= number <= MOST:
        raise ValueError("no wiki has a page or a revision of that number")
    return number


def verdict(
    claim: Claim,
    edit: Edit,
    asked: Sequence[ScoreId],
    answers: Mapping[ScoreId, Answer],
    models: Mapping[str, ScoringModel],
    max_attempts: int,
    *,
    is_outage: bool = False,
) -> Verdict:
    """Decide about *edit*, of which *asked* was wanted; a score without an answer was not asked for any more.

    Anything transient and attempts left: later, as a whole; what was scored comes from the cache then. No attempts
    left: given up, announced with an error for each score that is missing, and kept as a dead letter. What is no fault
    of the edit burns no attempt; `worker.domain.failures` says what that is.
    """
    given_up = NoAnswer("not asked for again: every earlier attempt ended without a settlement")
    by_id = {score_id: answers.get(score_id, given_up) for score_id in asked}
    silent = {score_id: answer for score_id, answer in by_id.items() if isinstance(answer, NoAnswer)}
    final = tuple(_final(score_id, answer, claim.attempt) for score_id, answer in by_id.items())
    outcome: Outcome = Delivered()
    if silent:
        outcome = _without_answers(claim, silent, max_attempts, is_outage=is_outage)
    elif problem := _unstorable(final, models):
        outcome = Dead("unknown_class", problem)
    return Verdict(claim=claim, edit=edit, outcome=outcome, answers=final)


def numbered(verdict: Verdict, ids: Mapping[tuple[str, str], int], models: Mapping[str, ScoringModel]) -> Verdict:
    """*verdict*, or a burial in its place where a version that leaves rows found no id in *ids* to store them under."""
    for score in verdict.scores:
        if verdict.is_final and models[score.model].classes and (score.model, score.version) not in ids:
            problem = (
                f"{score.model} {score.version} is one version more than oresc_model can number; free an id "
                "below 32,768 in ores_model, delete this version's row and lower the AUTO_INCREMENT there, and requeue "
                "this letter"
            )
            return replace(verdict, outcome=Dead("no_model_id", problem))
    return verdict


def _without_answers(
    claim: Claim, silent: Mapping[ScoreId, NoAnswer], max_attempts: int, *, is_outage: bool
) -> Outcome:
    """Later, not before the endpoint wants to be asked again; or never, if that burns the last attempt."""
    charged = {
        score_id: answer for score_id, answer in silent.items() if burns_attempt(answer.failure, outage=is_outage)
    }
    score_id, answer = next(iter((charged or silent).items()))
    error = f"{score_id}: {answer.error}"
    if charged and claim.attempt >= max_attempts:
        return Dead("attempts_exhausted", error)
    not_before = timedelta(seconds=max(answer.retry_after or 0.0 for answer in silent.values()))
    return RetryLater(max(backoff(claim.attempt), not_before), error, burns_attempt=bool(charged))


def delivery(claim: Claim, mishap: Mishap | None, max_attempts: int) -> Outcome:
    """Decide about an event that was sent, or was not; a sink that takes nothing is no event's fault."""
    if mishap is None:
        return Delivered()
    if isinstance(mishap, Untaken):
        return Released(mishap.reason)
    if isinstance(mishap, Refused):
        return Dead("refused", mishap.reason)
    if claim.attempt >= max_attempts:
        return Dead("attempts_exhausted", mishap.reason)
    return RetryLater(backoff(claim.attempt), mishap.reason)


def _exhausted(claim: Claim) -> Dead:
    return Dead("attempts_exhausted", f"claimed {claim.attempt} times, and each worker died or failed over it")


def _final(score_id: ScoreId, answer: Answer, attempts: int) -> Final:
    if not isinstance(answer, NoAnswer):
        return answer
    return ScoreError(
        model=score_id.model,
        version=score_id.version,
        type="AttemptsExhausted",
        message=f"no answer in {attempts} attempts; the last: {answer.error}",
    )


def _unstorable(answers: Sequence[Final], models: Mapping[str, ScoringModel]) -> str | None:
    problems = (unknown_class(answer, models[answer.model]) for answer in answers if isinstance(answer, Score))
    return next((problem for problem in problems if problem), None)
