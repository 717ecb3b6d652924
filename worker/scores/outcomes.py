"""What becomes of a claimed edit, once everything about it is known. Pure: the only place that decides it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from outbox.backoff import backoff
from outbox.edits import Edit
from outbox.errors import UndecodableMessage
from outbox.messages import Claim, Dead, Delivered, Outcome, RetryLater
from worker.domain.failures import REFUSED_SECONDS, Failure, burns_attempt
from worker.domain.models import ScoringModel
from worker.domain.scores import Answer, Final, NoAnswer, Score, ScoreError, ScoreId
from worker.lanes.consumer import claimed_too_often
from worker.scores.rows import unknown_class

#: For this many claims after its last attempt an edit is not scored, only announced as given up. If it kills its worker
#: even then, it becomes a dead letter without an event.
ANNOUNCEMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How an edit's claim ends, and what is announced about the edit if it is final."""

    claim: Claim
    edit: Edit
    outcome: Outcome
    #: The scores that are known, and an error for each of the others.
    answers: tuple[Final, ...]
    #: Models that have no answer yet.
    missing: frozenset[str]
    #: Whether patrollers must look at the edit.
    leaves_rows: bool

    @property
    def is_final(self) -> bool:
        """Whether the event of all models is due now."""
        return not isinstance(self.outcome, RetryLater)

    @property
    def owes_rows(self) -> bool:
        """Whether rows are still to come after the event."""
        return self.leaves_rows and bool(self.missing) and isinstance(self.outcome, Delivered)

    @property
    def scores(self) -> tuple[Score, ...]:
        """Stored now, whatever becomes of the other models."""
        return tuple(answer for answer in self.answers if isinstance(answer, Score))

    @property
    def given(self) -> tuple[Final, ...]:
        """The answers that models have given."""
        return tuple(answer for answer in self.answers if answer.model not in self.missing)


def read_edits(claims: Sequence[Claim], max_attempts: int, wiki: str) -> tuple[dict[Claim, Edit], dict[Claim, Outcome]]:
    """Read the edits of *wiki* from *claims*; what can't be read is poison and becomes a dead letter at once."""
    edits: dict[Claim, Edit] = {}
    outcomes: dict[Claim, Outcome] = {}
    for claim in claims:
        if claim.attempt > max_attempts + ANNOUNCEMENTS:
            outcomes[claim] = claimed_too_often(claim)
            continue
        try:
            edit = Edit.decode(claim.payload)
        except UndecodableMessage as error:
            outcomes[claim] = Dead("undecodable", str(error))
            continue
        if edit.wiki == wiki:
            edits[claim] = edit
        else:
            outcomes[claim] = of_another_wiki(claim, edit.wiki, wiki, max_attempts)
    return edits, outcomes


def of_another_wiki(claim: Claim, theirs: str, wiki: str, max_attempts: int) -> RetryLater | Dead:
    """The outcome of a message that says it is of the wiki *theirs*, in the database of *wiki*.

    It would be scored as one and announced as the other. If two wikis have one database, under URLs that do not show
    it, the right one may claim it next time.
    """
    error = (
        f"it is of {theirs}, and was claimed as one of {wiki}; if both have one database, correct "
        f"wikis.{wiki}.database_url or wikis.{theirs}.database_url, otherwise let the wiki record its edits as {wiki}"
    )
    if claim.attempt < max_attempts:
        return RetryLater(backoff(claim.attempt), error)
    return Dead("another_wiki", error)


def without_waiting(
    edits: Mapping[Claim, Edit], max_attempts: int, *, waits: bool
) -> tuple[dict[Claim, Edit], dict[Claim, Outcome]]:
    """The *edits* that are worked on now, and how the claims of the others end.

    If *waits*, an edit whose page nobody knows is tried later, since its event needs the page's id; after the last
    attempt it is announced without.
    """
    waiting = {
        claim: RetryLater(backoff(claim.attempt), f"the page of revision {edit.revision} is not known yet")
        for claim, edit in edits.items()
        if waits and edit.page is None and claim.attempt < max_attempts
    }
    return {claim: edit for claim, edit in edits.items() if claim not in waiting}, dict(waiting)


def decide(
    claim: Claim,
    edit: Edit,
    asked: Sequence[ScoreId],
    answers: Mapping[ScoreId, Answer],
    models: Mapping[str, ScoringModel],
    max_attempts: int,
    *,
    numbers: Mapping[tuple[str, str], int],
    leaves_rows: bool = True,
    wait: timedelta | None = None,
) -> Decision:
    """Decide what becomes of *edit*, for which the scores *asked* were wanted; one without an answer was not asked for.

    *numbers* are the ids under which versions of models can be stored.

    If a score failed and attempts are left, the edit is tried later; what was scored comes from the cache then. Once
    some models have answered, the others are waited for no longer than *wait*; then the event names them. None: the
    edit was announced before, and missing scores are waited for without end. If no attempts are left, the edit is given
    up: announced with an error for each missing score, and kept as a dead letter. A failure that is not the edit's
    fault counts no attempt; `worker.domain.failures` says which are not.
    """
    given_up = NoAnswer("not asked for again: every earlier attempt ended without a settlement")
    by_id = {score_id: answers.get(score_id, given_up) for score_id in asked}
    silent = {score_id: answer for score_id, answer in by_id.items() if isinstance(answer, NoAnswer)}
    outcome: Outcome = Delivered()
    error_type, why = "AttemptsExhausted", f"no answer in {claim.attempt} attempts"
    if silent:
        outcome = _without_answers(claim, silent, max_attempts, is_announced=wait is None)
        if wait is not None and len(silent) < len(by_id) and isinstance(outcome, RetryLater):
            outcome = _waiting(claim, edit, outcome, {each.model for each in by_id.keys() - silent.keys()}, wait)
            error_type, why = "ModelUnavailable", f"no answer for {wait.total_seconds():g} s after the other models'"
    final = tuple(_final(score_id, answer, error_type, why) for score_id, answer in by_id.items())
    if not silent and (problem := _unstorable(final, models, edit.wiki)):
        outcome = Dead("unknown_class", problem)
    if leaves_rows and not isinstance(outcome, RetryLater) and (problem := _unnumbered(final, numbers, models)):
        outcome = Dead("no_model_id", problem)
    missing = frozenset(score_id.model for score_id in silent)
    return Decision(claim=claim, edit=edit, outcome=outcome, answers=final, missing=missing, leaves_rows=leaves_rows)


def _without_answers(
    claim: Claim, silent: Mapping[ScoreId, NoAnswer], max_attempts: int, *, is_announced: bool
) -> Outcome:
    """Try later, and not before the endpoint wants to be asked again; or give up, if this was the last attempt."""
    charged = {
        score_id: answer
        for score_id, answer in silent.items()
        if burns_attempt(answer.failure, is_outage=answer.is_outage)
    }
    score_id, answer = next(iter((charged or silent).items()))
    error = f"{score_id}: {answer.error}"
    if charged and claim.attempt >= max_attempts:
        return Dead("attempts_exhausted", error)
    pauses = [backoff(claim.attempt), timedelta(seconds=max(answer.retry_after or 0.0 for answer in silent.values()))]
    is_refused = any(answer.failure is Failure.REFUSED for answer in silent.values())
    if is_refused or (is_announced and not charged):
        # Its attempts do not grow, so without this the wait would never grow.
        pauses.append(backoff(1, first=timedelta(seconds=REFUSED_SECONDS)))
    return RetryLater(max(pauses), error, burns_attempt=bool(charged))


def _waiting(
    claim: Claim, edit: Edit, outcome: RetryLater, answered: Collection[str], wait: timedelta
) -> RetryLater | Delivered:
    """Wait for the last models, but no longer than *wait* since the first ones answered."""
    since = edit.incomplete_since or claim.claimed_at
    left = since + wait - claim.claimed_at
    if left <= timedelta(0):
        return Delivered()
    noted = edit.model_copy(
        update={"incomplete_since": since, "announced": tuple(sorted({*answered, *(edit.announced or ())}))}
    )
    # The longer it has waited, the less often it looks.
    delay = max(outcome.delay, (claim.claimed_at - since) / 2)
    return replace(outcome, delay=min(delay, left), payload=noted.encode())


def _final(score_id: ScoreId, answer: Answer, error_type: str, why: str) -> Final:
    """*answer* if it is final, or else an error of that type."""
    if not isinstance(answer, NoAnswer):
        return answer
    message = f"{why}; the last: {answer.error}"
    return ScoreError(model=score_id.model, version=score_id.version, type=error_type, message=message)


def _unstorable(answers: Sequence[Final], models: Mapping[str, ScoringModel], wiki: str) -> str | None:
    problems = (unknown_class(answer, models[answer.model], wiki) for answer in answers if isinstance(answer, Score))
    return next((problem for problem in problems if problem), None)


def _unnumbered(
    answers: Sequence[Final], numbers: Mapping[tuple[str, str], int], models: Mapping[str, ScoringModel]
) -> str | None:
    """What is wrong if a model version has no id in *numbers*, under which its rows could be stored."""
    for answer in answers:
        if isinstance(answer, Score) and models[answer.model].classes and (answer.model, answer.version) not in numbers:
            return (
                f"{answer.model} {answer.version} is one version more than oresm_id can number; free an id "
                "below 32,768 in ores_model, delete this version's row and lower the AUTO_INCREMENT there, and requeue "
                "this letter"
            )
    return None
