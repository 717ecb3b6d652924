"""What commands read from words: durations, moments and cursors."""

from datetime import UTC, datetime, timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from outbox.mediawiki.schema import moment_of
from worker.cli.options import cursor, duration, since_when
from worker.scores.filters import Cursor

MOMENTS = st.integers(-(10**10), 10**11).map(lambda seconds: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(0, seconds))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("604800s", timedelta(days=7)),
    ],
)
def test_a_duration_has_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5h", "7 d", "٧d", "7w", "100000d"])
def test_other_words_are_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        duration(text)


@given(MOMENTS)
def test_a_moment_can_be_written_in_any_form(moment: datetime) -> None:
    timestamp = f"{moment:%Y%m%d%H%M%S}"
    forms = (timestamp, f"{moment:%Y-%m-%dT%H:%M:%S}", f"{moment:%Y-%m-%d %H:%M:%SZ}")

    assert {since_when(form) for form in forms} == {timestamp}


@pytest.mark.parametrize(
    ("text", "timestamp"), [("2026-11-01", "20261101000000"), ("2026-11-01T12:30", "20261101123000")]
)
def test_what_a_moment_leaves_out_is_zero(text: str, timestamp: str) -> None:
    assert since_when(text) == timestamp


def test_a_duration_is_so_long_ago() -> None:
    ago = datetime.now(UTC) - moment_of(since_when("2h"))

    assert timedelta(hours=2) <= ago < timedelta(hours=2, minutes=1)


@pytest.mark.parametrize("text", ["", "20261101", "2026-11", "2026-02-30", "2026-11-01T25:00", "20261131000000", "now"])
def test_other_words_are_no_moment(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        since_when(text)


@given(st.text(st.sampled_from("0123456789-:TZsmhd "), max_size=20))
def test_whatever_is_read_as_a_moment_is_one(text: str) -> None:
    try:
        timestamp = since_when(text)
    except typer.BadParameter:
        return

    assert moment_of(timestamp).strftime("%Y%m%d%H%M%S") in {timestamp, timestamp.lstrip("0")}


@given(MOMENTS, st.integers(1, 2**32 - 1))
def test_a_cursor_is_read_as_it_is_printed(moment: datetime, change: int) -> None:
    printed = Cursor(moment.strftime("%Y%m%d%H%M%S"), change)

    assert cursor(str(printed)) == printed


@pytest.mark.parametrize("text", ["", "20260101120003", "20260101120003/", "20260101120003/x", "20260230000000/1"])
def test_other_words_are_no_cursor(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a place in the list"):
        cursor(text)
