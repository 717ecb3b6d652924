"""How far recentchanges was read: each id once, however late its transaction commits."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from worker.incoming.following import MISSING_SECONDS, Gap, Reached

#: For each id, in its order, after how many polls it is there; None: never, as after a rollback.
DELAYS = st.lists(st.one_of(st.none(), st.integers(0, 8)), max_size=40)


def read_all(delays: Sequence[int | None], seconds_a_poll: int) -> list[int]:
    """The ids that polls read, in the order in which they read them."""
    visible = {number: delay for number, delay in enumerate(delays, start=1) if delay is not None}
    reached, read = Reached(0, ""), list[int]()
    for poll in range(12):
        there = {number for number, delay in visible.items() if delay <= poll}
        missing = {number for gap in reached.gaps for number in range(gap.first, gap.last + 1)}
        found = {number for number in there if number > reached.last or number in missing}
        read += sorted(found)
        reached = reached.after(found, "", poll * seconds_a_poll)
    return read


@given(DELAYS)
def test_each_id_is_read_once_whenever_it_comes(delays: list[int | None]) -> None:
    read = read_all(delays, seconds_a_poll=10)
    assert sorted(read) == [number for number, delay in enumerate(delays, start=1) if delay is not None]


@given(DELAYS)
def test_no_id_is_read_twice_however_long_it_was_missing(delays: list[int | None]) -> None:
    read = read_all(delays, seconds_a_poll=100)
    assert len(read) == len(set(read))


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_what_is_missing_are_the_ids_below_the_last_that_were_not_seen(first: set[int], then: set[int]) -> None:
    reached = Reached(0, "").after(first, "", 0).after(then, "", 0)
    missing = {number for gap in reached.gaps for number in range(gap.first, gap.last + 1)}
    assert missing == set(range(1, max(first | then, default=0))) - first - then


def test_an_id_that_stays_missing_is_not_looked_for_for_ever() -> None:
    reached = Reached(0, "").after([3], "", 0)
    assert reached.after([], "", MISSING_SECONDS).gaps == (Gap(1, 2, 0),)
    assert reached.after([], "", MISSING_SECONDS + 1).gaps == ()


@given(st.lists(st.sets(st.integers(1, 60)), max_size=4), st.sampled_from(["", "20221202120000"]))
def test_what_was_reached_is_read_back_as_it_was_written(found: list[set[int]], newest: str) -> None:
    reached = Reached(7, newest)
    for now, ids in enumerate(found):
        reached = reached.after(ids, newest, now)
    assert Reached.of(reached.text, reached.text_of_gaps) == reached
