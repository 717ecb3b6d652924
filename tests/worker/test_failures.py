"""The table of failures: which kind a reply is, what counts as an attempt, what is an outage, and Retry-After."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.failures import (
    LONGEST_PAUSE_SECONDS,
    Failure,
    burns_attempt,
    failure_of_status,
    retry_after_seconds,
)

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (300, Failure.REFUSED),
        (302, Failure.REFUSED),
        (400, Failure.REFUSED),
        (401, Failure.REFUSED),
        (404, Failure.REFUSED),
        (408, Failure.LATE),
        (409, Failure.REFUSED),
        (422, Failure.REFUSED),
        (429, Failure.THROTTLED),
        (500, Failure.TRANSIENT),
        (501, Failure.OUTAGE),
        (502, Failure.OUTAGE),
        (503, Failure.OUTAGE),
        (504, Failure.LATE),
        (511, Failure.REFUSED),
        (599, Failure.OUTAGE),
        (999, Failure.REFUSED),
    ],
)
def test_a_status_is_one_kind_of_failure(status: int, failure: Failure) -> None:
    assert failure_of_status(status) is failure


def test_saying_when_to_come_back_makes_throttling_of_unavailable_and_changes_nothing_else() -> None:
    said = {status: failure_of_status(status, says_when=True) for status in range(300, 600)}
    alone = {status: failure_of_status(status) for status in range(300, 600)}

    assert said == alone | {503: Failure.THROTTLED}


@pytest.mark.parametrize(
    ("failure", "alone", "in_an_outage"),
    [
        (Failure.TRANSIENT, True, False),
        (Failure.LATE, True, False),
        (Failure.OUTAGE, True, False),
        (Failure.REFUSED, False, False),
        (Failure.THROTTLED, False, False),
        (Failure.ELSEWHERE, False, False),
    ],
)
def test_only_what_may_be_the_edits_fault_burns_an_attempt(
    failure: Failure, *, alone: bool, in_an_outage: bool
) -> None:
    assert (burns_attempt(failure, is_outage=False), burns_attempt(failure, is_outage=True)) == (alone, in_an_outage)


@pytest.mark.parametrize(
    "date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_each_form_of_a_date_is_understood(date: str) -> None:
    assert retry_after_seconds(date, NOW) == 37


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("007", 7.0),
        ("300", 300.0),
        ("301", LONGEST_PAUSE_SECONDS),
        ("9" * 5000, LONGEST_PAUSE_SECONDS),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", LONGEST_PAUSE_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE_SECONDS),
        ("Sun, 06 Nov 1994 10:49:37 +0200", 37.0),
    ],
)
def test_what_it_says_is_bounded(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "-5",
        "+5",
        "1.5",
        "1e3",
        "soon",
        "٣",
        "²",
        "NaN",
        "inf",
        ",",
        ":",
        "Sun, 06 Nov 1994",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 99999999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +99999999999999999999",
        "Sun, 06 Nov 1994 08:49:37 -2400",
    ],
)
def test_garbage_says_nothing(header: str | None) -> None:
    assert retry_after_seconds(header, NOW) is None


@given(st.integers(0, 10**20))
def test_seconds_are_taken_as_they_are_up_to_the_longest_pause(seconds: int) -> None:
    assert retry_after_seconds(str(seconds), NOW) == min(seconds, LONGEST_PAUSE_SECONDS)


@given(st.integers(-(10**6), 10**6))
def test_a_date_is_as_many_seconds_as_it_lies_ahead_up_to_the_longest_pause(ahead: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)

    assert retry_after_seconds(header, NOW) == min(max(ahead, 0), LONGEST_PAUSE_SECONDS)


PIECES = st.sampled_from(
    ["Sun", ",", " ", "06", "Nov", "-", "1994", "94", "08:49:37", ":", "GMT", "+0000", "+9999999", "0", "99", ".", "\0"]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(" ".join)))
def test_whatever_the_header_holds_it_is_a_bounded_pause_or_nothing(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)

    assert seconds is None or 0 <= seconds <= LONGEST_PAUSE_SECONDS
