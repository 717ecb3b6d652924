"""Backoff: longer from attempt to attempt, never too short, never too long, never the same for all."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from outbox.backoff import FIRST, LONGEST, backoff
from tests.examples import examples

ATTEMPTS = st.integers(min_value=1, max_value=1_000)
FIRSTS = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(minutes=1))
LONGESTS = st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(hours=24))


@settings(max_examples=examples(200), deadline=None)
@given(attempt=ATTEMPTS, first=FIRSTS, longest=LONGESTS)
def test_a_wait_is_at_least_half_the_first_and_at_most_the_longest(
    attempt: int, first: timedelta, longest: timedelta
) -> None:
    assert first / 2 <= backoff(attempt, first=first, longest=longest) <= longest


@settings(max_examples=examples(200), deadline=None)
@given(attempt=ATTEMPTS, luck=st.integers())
def test_with_the_same_luck_a_later_attempt_never_waits_less(attempt: int, luck: int) -> None:
    random.seed(luck)
    earlier = backoff(attempt)
    random.seed(luck)

    assert earlier <= backoff(attempt + 1)


@settings(max_examples=examples(50), deadline=None)
@given(attempt=st.integers(min_value=1, max_value=8))
def test_a_wait_is_at_most_the_first_doubled_for_each_attempt_before(attempt: int) -> None:
    assert max(backoff(attempt) for _ in range(100)) <= FIRST * 2 ** (attempt - 1)


def test_the_ceiling_is_doubled_from_attempt_to_attempt() -> None:
    random.seed(1)
    longest = [max(backoff(attempt) for _ in range(200)) for attempt in range(1, 9)]

    assert all(wait > FIRST * 2**number * 0.9 for number, wait in enumerate(longest))


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    assert len({backoff(8) for _ in range(100)}) > 90


def test_after_many_attempts_the_wait_is_cut_at_the_longest() -> None:
    random.seed(1)

    assert max(backoff(1_000) for _ in range(200)) > LONGEST * 0.9
