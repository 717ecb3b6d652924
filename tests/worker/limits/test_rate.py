"""How many requests start in a second, whoever sends them, and how that follows what the endpoint shows."""

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.worker.limits.crowd import Crowd, ceilings, most_in_a_window, starts_of
from worker.endpoints.limits import LATE_SECONDS, LEAD_SECONDS, LOWEST_RATE, Report

REPORTS = st.builds(
    Report,
    served=st.integers(0, 5),
    throttled=st.integers(0, 2),
    seconds=st.floats(0, 20),
    pause=st.sampled_from([0.0, 0.0, 0.0, 0.5]),
)
GOOD_REPORTS = st.builds(Report, served=st.integers(0, 5))
RATES = st.one_of(st.floats(0.1, 5), st.floats(5, 500), st.integers(1, 200).map(float))


def turns(reports: st.SearchStrategy[Report]) -> st.SearchStrategy[list[tuple[float, str, int, Report]]]:
    """Seconds since the turn before, whose turn it is, how much it wants, and what it has to tell."""
    waits = st.one_of(st.floats(0, 0.01), st.floats(0, 0.3), st.floats(0, 3))
    return st.lists(st.tuples(waits, st.sampled_from("abcdefgh"), st.integers(0, 1000), reports), max_size=150)


@settings(max_examples=examples(150), deadline=None)
@given(RATES, turns(REPORTS | GOOD_REPORTS))
def test_no_second_holds_more_starts_than_the_rate_rounded_up_even_where_each_may_be_late(
    rate: float, crowd_turns: list[tuple[float, str, int, Report]]
) -> None:
    crowd = Crowd(ceilings(requests_per_second=rate, concurrency=10_000))
    for wait, member, want, report in crowd_turns:
        crowd.now += wait
        crowd.ask(member, report, want=want)

    # A window that sees one start late and another in time reaches back so much further.
    assert most_in_a_window(crowd.starts, 1.0 + LATE_SECONDS) <= ceil(rate)


@settings(max_examples=examples(100), deadline=None)
@given(RATES, turns(REPORTS))
def test_the_rate_stays_between_the_lowest_and_the_ceiling(
    rate: float, crowd_turns: list[tuple[float, str, int, Report]]
) -> None:
    crowd = Crowd(ceilings(requests_per_second=rate))
    for wait, member, want, report in crowd_turns:
        crowd.now += wait
        assert min(LOWEST_RATE, rate) <= crowd.ask(member, report, want=want).rate <= rate


@settings(max_examples=examples(100), deadline=None)
@given(st.floats(0.1, 500), turns(GOOD_REPORTS))
def test_no_start_is_granted_further_ahead_than_the_lead(
    rate: float, crowd_turns: list[tuple[float, str, int, Report]]
) -> None:
    crowd = Crowd(ceilings(requests_per_second=rate))
    for wait, member, want, report in crowd_turns:
        crowd.now += wait
        grant = crowd.ask(member, report, want=want)
        assert grant.starts <= want
        assert all(start <= crowd.now + LEAD_SECONDS + 1e-6 for start in starts_of(grant, crowd.now))


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0, 10.0, 60.0, 100.0, 1000.0])
def test_workers_that_always_want_more_use_up_most_of_the_rate(rate: float) -> None:
    crowd = Crowd(ceilings(requests_per_second=rate, concurrency=10_000))
    until = crowd.now + 60
    while crowd.now < until:
        for member in "abc":
            crowd.ask(member, Report(served=1), want=1000)
        crowd.now += 0.03

    assert 0.85 * rate * 60 <= len(crowd.starts) <= rate * 60


def test_a_lull_is_not_saved_up_for_a_burst() -> None:
    crowd = Crowd(ceilings(requests_per_second=100))
    crowd.ask(want=1)
    crowd.now += 3600
    grant = crowd.ask(want=1000)

    assert most_in_a_window(starts_of(grant, crowd.now), 0.1) <= 15


def test_the_limit_holds_from_the_next_exchange_after_it_was_set_lower() -> None:
    crowd = Crowd(ceilings(requests_per_second=100))
    crowd.ask(want=1)
    crowd.ceilings = ceilings(requests_per_second=10)

    assert crowd.ask(want=1).rate == 10


def served(crowd: Crowd, seconds: int, report: Report, want: int = 1000) -> float:
    """Tell the same each second; returns the rate in the end."""
    rate = 0.0
    for _ in range(seconds):
        crowd.now += 1.01
        rate = crowd.ask("a", report, want=want).rate
    return rate


def busy_crowd() -> Crowd:
    """One that has just used up its whole rate of 100."""
    crowd = Crowd(ceilings(requests_per_second=100))
    for _ in range(80):
        crowd.ask("a", Report(served=1), want=1000)
        crowd.now += 0.05
    return crowd


def test_a_refusal_halves_the_rate_that_was_used() -> None:
    crowd = busy_crowd()

    rate = crowd.ask("a", Report(throttled=1)).rate

    assert 40 <= rate <= 50


def test_a_refusal_lowers_what_was_used_and_not_what_was_allowed() -> None:
    crowd = Crowd(ceilings(requests_per_second=100))
    for _ in range(40):
        crowd.ask("a", Report(served=1), want=1)
        crowd.now += 0.1

    assert 4 <= crowd.ask("a", Report(throttled=1)).rate <= 6


def test_refusals_of_one_second_lower_the_rate_once() -> None:
    crowd = busy_crowd()
    rates = set()
    for member in "abcdef":
        rates.add(crowd.ask(member, Report(throttled=3)).rate)
        crowd.now += 0.15

    assert len(rates) == 1


def test_a_refusal_counts_though_the_rate_was_raised_the_moment_before() -> None:
    crowd = busy_crowd()
    crowd.ask("a", Report(throttled=1))
    crowd.now += 1.01
    raised = crowd.ask("a", Report(served=1), want=1000).rate
    crowd.now += 0.25

    assert crowd.ask("a", Report(throttled=1)).rate <= 0.5 * raised


def test_replies_served_bring_the_rate_back_to_the_ceiling_within_ten_seconds() -> None:
    crowd = busy_crowd()
    crowd.state.rate = LOWEST_RATE

    assert served(crowd, 10, Report(served=1)) == 100


def test_a_worker_that_has_nothing_to_tell_changes_no_rate() -> None:
    crowd = busy_crowd()
    lowered = crowd.ask("a", Report(throttled=1)).rate

    assert served(crowd, 20, Report()) == lowered


def test_slow_replies_lower_the_rate_by_a_fifth() -> None:
    crowd = busy_crowd()
    crowd.now += 1.01

    assert crowd.ask("a", Report(served=2, seconds=2.1)).rate == pytest.approx(80)


def test_replies_that_are_slow_now_and_then_lower_nothing() -> None:
    crowd = busy_crowd()
    crowd.now += 1.01

    assert crowd.ask("a", Report(served=10, seconds=5)).rate == 100


def test_refusals_without_end_leave_the_lowest_rate() -> None:
    crowd = busy_crowd()

    assert served(crowd, 60, Report(throttled=1)) == LOWEST_RATE


@pytest.mark.parametrize("capacity", [10, 30, 60])
def test_against_an_endpoint_that_takes_less_than_the_ceiling_most_requests_are_served(capacity: int) -> None:
    """The endpoint refuses what is beyond a bucket of *capacity* a second, and does not say for how long."""
    crowd = Crowd(ceilings(requests_per_second=100, concurrency=10_000))
    tokens, refused, pending = float(capacity), 0, Report()
    for _ in range(600):
        granted = crowd.ask("a", pending, want=1000).starts
        pending = Report()
        crowd.now += 0.1
        tokens = min(capacity, tokens + 0.1 * capacity)
        pending.served = min(granted, int(tokens))
        tokens -= pending.served
        pending.throttled = granted - pending.served
        refused += pending.throttled

    total = len(crowd.starts)
    assert total - refused >= 0.5 * capacity * 60
    assert refused <= 0.15 * total
