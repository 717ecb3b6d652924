"""How the kind of failure decides what becomes of an edit: its attempt, and how long it waits."""

from datetime import timedelta

import pytest

from outbox import Dead, RetryLater
from outbox.backoff import LONGEST
from tests.builders import a_claim, a_score, an_edit
from worker.domain.failures import LONGEST_PAUSE_SECONDS, REFUSED_SECONDS, Failure
from worker.domain.models import DEFAULT_MODELS
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.scores.outcomes import Decision, decide

MOST = 8
#: Ids under which the versions of these models are stored.
NUMBERS = {("damaging", "0.5.1"): 1, ("goodfaith", "0.5.1"): 2}
DAMAGING = ScoreId("enwiki", "damaging", 1001, "0.5.1")
GOODFAITH = ScoreId("enwiki", "goodfaith", 1001, "0.5.1")
NOBODYS_FAULT = [Failure.THROTTLED, Failure.ELSEWHERE, Failure.REFUSED]


def judged(damaging: Answer, goodfaith: Answer, *, attempt: int = 1) -> Decision:
    return decide(
        a_claim(attempt=attempt),
        an_edit(),
        [DAMAGING, GOODFAITH],
        {DAMAGING: damaging, GOODFAITH: goodfaith},
        DEFAULT_MODELS,
        MOST,
        numbers=NUMBERS,
    )


def silent(failure: Failure, retry_after: float | None = None) -> NoAnswer:
    return NoAnswer(f"it was {failure}", failure, retry_after)


def later(found: Decision) -> RetryLater:
    assert isinstance(found.outcome, RetryLater)
    return found.outcome


@pytest.mark.parametrize("failure", NOBODYS_FAULT)
@pytest.mark.parametrize("attempt", [1, MOST, MOST + 1])
def test_being_throttled_refused_or_computed_elsewhere_burns_no_attempt_not_even_the_last(
    failure: Failure, attempt: int
) -> None:
    assert not later(judged(a_score(), silent(failure), attempt=attempt)).burns_attempt


@pytest.mark.parametrize("failure", [Failure.TRANSIENT, Failure.LATE, Failure.OUTAGE])
def test_any_other_failure_of_one_edit_burns_one(failure: Failure) -> None:
    assert later(judged(a_score(), silent(failure))).burns_attempt


@pytest.mark.parametrize("failure", [Failure.TRANSIENT, Failure.LATE, Failure.OUTAGE])
def test_the_last_attempt_ends_with_the_failure_that_burned_it(failure: Failure) -> None:
    outcome = judged(silent(Failure.THROTTLED), silent(failure), attempt=MOST).outcome

    assert outcome == Dead("attempts_exhausted", f"{GOODFAITH}: it was {failure}")


@pytest.mark.parametrize("failure", [Failure.TRANSIENT, Failure.LATE, Failure.OUTAGE])
def test_in_an_outage_nothing_burns_an_attempt_not_even_the_last(failure: Failure) -> None:
    out = NoAnswer("it fails for everybody", failure, is_outage=True)

    assert not later(judged(out, out, attempt=MOST)).burns_attempt


def test_a_failure_of_the_edit_itself_burns_one_though_another_model_is_out() -> None:
    out = NoAnswer("it fails for everybody", Failure.OUTAGE, is_outage=True)

    assert later(judged(out, silent(Failure.TRANSIENT))).burns_attempt


@pytest.mark.parametrize("attempt", [1, 4, MOST])
def test_an_edit_does_not_come_back_before_the_endpoint_wants_to_be_asked_again(attempt: int) -> None:
    outcome = later(judged(a_score(), silent(Failure.THROTTLED, LONGEST_PAUSE_SECONDS), attempt=attempt))

    assert timedelta(seconds=LONGEST_PAUSE_SECONDS) <= outcome.delay <= LONGEST


def test_of_two_pauses_the_longer_one_counts() -> None:
    outcome = later(judged(silent(Failure.THROTTLED, 200.0), silent(Failure.THROTTLED, 100.0)))

    assert outcome.delay == timedelta(seconds=200)


def test_a_short_pause_makes_no_backoff_shorter() -> None:
    assert later(judged(a_score(), silent(Failure.THROTTLED, 0.001))).delay >= timedelta(seconds=1)


def test_what_is_refused_comes_back_less_often_than_what_failed_for_the_first_time() -> None:
    delays = {later(judged(a_score(), silent(Failure.REFUSED))).delay for _ in range(100)}

    assert timedelta(seconds=REFUSED_SECONDS / 2) <= min(delays) < max(delays) <= timedelta(seconds=REFUSED_SECONDS)


@pytest.mark.parametrize("failure", Failure)
def test_an_edit_that_waits_is_announced_only_when_it_is_settled(failure: Failure) -> None:
    assert not judged(a_score(), silent(failure)).is_final
