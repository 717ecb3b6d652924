"""What becomes of a claimed message, for everything that can be known about it."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from outbox import Claim, Dead, Delivered, Edit, Outcome, RetryLater
from outbox.backoff import LONGEST
from tests.builders import a_claim, a_score, a_score_error, an_edit
from worker.domain.failures import REFUSED_SECONDS, Failure
from worker.domain.models import DEFAULT_MODELS
from worker.domain.scores import Answer, NoAnswer, ScoreError, ScoreId
from worker.scores.outcomes import Decision, decide, read_edits

MOST = 8
#: Ids under which the versions of these models are stored.
NUMBERS = {("damaging", "0.5.1"): 1, ("goodfaith", "0.5.1"): 2}
DAMAGING = ScoreId("enwiki", "damaging", 1001, "0.5.1")
GOODFAITH = ScoreId("enwiki", "goodfaith", 1001, "0.5.1")
SCORED = a_score()
REFUSED = a_score_error()
SILENT = NoAnswer("status 503", Failure.OUTAGE)
OUTAGE = NoAnswer("status 503", Failure.OUTAGE, is_outage=True)
STRANGE = a_score(probability={"true": 0.1, "false": 0.8, "perhaps": 0.1})


WAIT = timedelta(seconds=300)


def judged(
    answers: Mapping[ScoreId, Answer], *, attempt: int = 1, edit: Edit | None = None, wait: timedelta | None = None
) -> Decision:
    return decide(
        a_claim(attempt=attempt),
        edit or an_edit(),
        [DAMAGING, GOODFAITH],
        answers,
        DEFAULT_MODELS,
        MOST,
        numbers=NUMBERS,
        wait=wait,
    )


def incomplete_for(seconds: float) -> Edit:
    """An edit of which one model answered so long ago."""
    return an_edit(incomplete_since=a_claim().claimed_at - timedelta(seconds=seconds), announced=("damaging",))


@pytest.mark.parametrize(
    ("damaging", "goodfaith", "attempt", "end"),
    [
        (SCORED, a_score(model="goodfaith"), 1, Delivered),
        (SCORED, REFUSED, 1, Delivered),
        (a_score_error(model="damaging"), REFUSED, 1, Delivered),
        (SCORED, REFUSED, MOST, Delivered),
        (SCORED, SILENT, 1, RetryLater),
        (SILENT, SILENT, 1, RetryLater),
        (REFUSED, SILENT, MOST - 1, RetryLater),
        (STRANGE, SILENT, 1, RetryLater),
        (SCORED, SILENT, MOST, Dead),
        (SILENT, SILENT, MOST + 1, Dead),
        (STRANGE, REFUSED, 1, Dead),
    ],
)
def test_answers_and_attempts_decide_the_outcome(
    damaging: Answer, goodfaith: Answer, attempt: int, end: type[Outcome]
) -> None:
    found = judged({DAMAGING: damaging, GOODFAITH: goodfaith}, attempt=attempt)

    assert type(found.outcome) is end
    assert found.is_final == (end is not RetryLater)


def test_an_edit_that_no_model_scores_is_delivered() -> None:
    found = decide(a_claim(), an_edit(), [], {}, DEFAULT_MODELS, MOST, numbers=NUMBERS)

    assert found.outcome == Delivered()
    assert found.answers == ()


def test_a_retry_burns_an_attempt_and_says_which_score_is_missing() -> None:
    outcome = judged({DAMAGING: SCORED, GOODFAITH: SILENT}).outcome

    assert isinstance(outcome, RetryLater)
    assert outcome.burns_attempt
    assert outcome.error == "enwiki:goodfaith:1001:0.5.1: status 503"


@pytest.mark.parametrize("attempt", [1, 3, MOST])
def test_a_retry_waits_a_moment_and_no_longer_than_the_longest(attempt: int) -> None:
    outcome = judged({DAMAGING: OUTAGE, GOODFAITH: OUTAGE}, attempt=attempt).outcome

    assert isinstance(outcome, RetryLater)
    assert timedelta(0) < outcome.delay <= LONGEST


@pytest.mark.parametrize("attempt", [1, MOST, MOST + 1])
def test_an_outage_burns_no_attempt(attempt: int) -> None:
    outcome = judged({DAMAGING: OUTAGE, GOODFAITH: OUTAGE}, attempt=attempt).outcome

    assert isinstance(outcome, RetryLater)
    assert not outcome.burns_attempt


def test_an_edit_of_which_one_model_has_answered_notes_since_when_it_waits_for_the_other() -> None:
    outcome = judged({DAMAGING: SCORED, GOODFAITH: OUTAGE}, wait=WAIT).outcome

    assert isinstance(outcome, RetryLater)
    assert outcome.payload is not None
    noted = Edit.decode(outcome.payload)
    assert (noted.incomplete_since, noted.announced) == (a_claim().claimed_at, ("damaging",))


@pytest.mark.parametrize("seconds", [0, 10, 200, 299])
def test_while_the_last_model_is_waited_for_the_edit_comes_back_before_the_wait_ends(seconds: float) -> None:
    outcome = judged({DAMAGING: SCORED, GOODFAITH: OUTAGE}, edit=incomplete_for(seconds), wait=WAIT).outcome

    assert isinstance(outcome, RetryLater)
    assert timedelta(seconds=seconds) + outcome.delay <= WAIT
    assert outcome.payload is not None
    assert Edit.decode(outcome.payload).incomplete_since == incomplete_for(seconds).incomplete_since


def test_after_the_wait_the_edit_is_announced_with_the_missing_model_named_and_its_rows_owed() -> None:
    found = judged({DAMAGING: SCORED, GOODFAITH: OUTAGE}, edit=incomplete_for(300), wait=WAIT)

    assert found.outcome == Delivered()
    assert found.owes_rows
    assert found.answers[0] == SCORED
    assert isinstance(found.answers[1], ScoreError)
    assert (found.answers[1].model, found.answers[1].type) == ("goodfaith", "ModelUnavailable")


def test_an_edit_of_which_no_model_has_answered_waits_for_the_end_of_the_outage() -> None:
    found = judged({DAMAGING: OUTAGE, GOODFAITH: OUTAGE}, edit=incomplete_for(3000), wait=WAIT)

    assert isinstance(found.outcome, RetryLater)
    assert found.outcome.payload is None


def test_an_edit_that_was_announced_waits_for_its_last_rows_without_end_and_seldom_looks() -> None:
    found = judged({DAMAGING: SCORED, GOODFAITH: OUTAGE}, edit=incomplete_for(3000))

    assert isinstance(found.outcome, RetryLater)
    assert found.outcome.delay >= timedelta(seconds=REFUSED_SECONDS / 2)


def test_an_edit_that_is_given_up_is_announced_with_what_is_known_and_what_is_not() -> None:
    found = judged({DAMAGING: SCORED, GOODFAITH: SILENT}, attempt=MOST)

    assert found.outcome == Dead("attempts_exhausted", "enwiki:goodfaith:1001:0.5.1: status 503")
    assert found.answers == (
        SCORED,
        ScoreError(
            model="goodfaith",
            version="0.5.1",
            type="AttemptsExhausted",
            message="no answer in 8 attempts; the last: status 503",
        ),
    )


def test_an_edit_that_was_not_asked_for_any_more_is_given_up_with_an_error_for_each_score() -> None:
    found = judged({}, attempt=MOST + 1)

    assert isinstance(found.outcome, Dead)
    assert found.scores == ()
    assert [(answer.model, answer.type) for answer in found.answers if isinstance(answer, ScoreError)] == [
        ("damaging", "AttemptsExhausted"),
        ("goodfaith", "AttemptsExhausted"),
    ]


def test_a_class_nobody_configured_is_a_dead_letter_and_announced_with_its_score() -> None:
    found = judged({DAMAGING: STRANGE, GOODFAITH: a_score(model="goodfaith")})

    assert isinstance(found.outcome, Dead)
    assert found.outcome.reason == "unknown_class"
    assert "'perhaps'" in found.outcome.error
    assert found.scores == (STRANGE, a_score(model="goodfaith"))


@pytest.mark.parametrize(
    "payload", ["", "{", "[]", "null", '{"wiki": "enwiki"}', "[" * 100_000, '{"title": "\\ud800"}']
)
def test_a_payload_that_is_no_edit_is_buried_at_once(payload: str) -> None:
    poison = a_claim(payload=payload)

    edits, outcomes = read_edits([poison], MOST, "enwiki")

    assert edits == {}
    assert reason(outcomes, poison) == "undecodable"


def test_an_edit_whose_announcement_kills_its_workers_too_is_buried_in_the_end() -> None:
    last_tries = [a_claim(message=tries, attempt=MOST + tries) for tries in range(1, 6)]

    found, outcomes = read_edits(last_tries, MOST, "enwiki")

    assert [claim.message for claim in found] == [1, 2, 3]
    assert {outcome.reason for outcome in outcomes.values() if isinstance(outcome, Dead)} == {"attempts_exhausted"}
    assert len(outcomes) == 2


def test_poison_takes_no_neighbour_with_it() -> None:
    good, poison = a_claim(message=1), a_claim(message=2, payload="{")

    edits, outcomes = read_edits([good, poison], MOST, "enwiki")

    assert edits == {good: an_edit()}
    assert set(outcomes) == {poison}


def test_an_edit_of_another_wiki_is_neither_scored_nor_announced_as_ours_and_is_kept_in_the_end() -> None:
    theirs = an_edit(wiki="frwiki").encode()
    first, last = (a_claim(message=attempt, attempt=attempt, payload=theirs) for attempt in (1, MOST))

    edits, outcomes = read_edits([first, last], MOST, "enwiki")

    assert edits == {}
    again = outcomes[first]
    assert isinstance(again, RetryLater)
    assert again.burns_attempt
    assert reason(outcomes, last) == "another_wiki"
    assert "of frwiki, and was claimed as one of enwiki; if both have one database, correct" in again.error


def test_the_reason_of_poison_names_fields_and_never_values() -> None:
    poison = a_claim(payload=an_edit().encode().replace('"page":1001', '"page":"203.0.113.7"'))

    _, outcomes = read_edits([poison], MOST, "enwiki")

    outcome = outcomes[poison]
    assert isinstance(outcome, Dead)
    assert "page: " in outcome.error
    assert "203.0.113.7" not in outcome.error


def reason(outcomes: Mapping[Claim, Outcome], claim: Claim) -> str:
    outcome = outcomes[claim]
    assert isinstance(outcome, Dead)
    return outcome.reason
