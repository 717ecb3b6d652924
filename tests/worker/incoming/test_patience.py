"""A listener waits no shorter than the stream asks for, and no longer than makes sense."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.incoming.patience import LONGEST_ASKED_SECONDS, Patience, asked_seconds

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("15", 15),
        (" 15 ", 15),
        ("0.5", 0.5),
        ("0", 0),
        ("-3", 0),
        ("soon", 0),
        ("nan", 0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30),
    ],
)
def test_what_a_stream_asks_for_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float) -> None:
    assert asked_seconds(header, NOW) == seconds


@given(st.text(max_size=30))
def test_no_header_however_odd_ends_the_listening(header: str) -> None:
    assert asked_seconds(header, NOW) >= 0


@given(st.integers(1, 100), st.floats(0, LONGEST_ASKED_SECONDS))
def test_no_listener_returns_earlier_than_it_was_asked_to(failures: int, asked: float) -> None:
    assert Patience().pause(failures, asked) >= asked


@given(st.floats(LONGEST_ASKED_SECONDS, 1e300))
def test_nobody_is_kept_away_for_longer_than_an_hour_and_its_jitter(asked: float) -> None:
    assert Patience().pause(1, asked) <= LONGEST_ASKED_SECONDS * 1.1


def test_listeners_that_were_asked_for_the_same_do_not_return_together() -> None:
    assert len({Patience().pause(1, 100) for _ in range(20)}) > 1


@given(st.integers(1, 10**9))
def test_no_pause_of_ones_own_is_longer_than_a_minute_nor_shorter_than_half_a_second(failures: int) -> None:
    assert timedelta(seconds=0.5) <= timedelta(seconds=Patience().pause(failures)) <= timedelta(minutes=1)
