"""Scores that were read before are remembered for a while, so many and no more; errors are not."""

import pytest

from tests.builders import a_score, a_score_error
from tests.clock import Clock
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.remembered import FEWEST_REMEMBERED, REMEMBERED_SECONDS, Remembered
from worker.flight.results import encode_result

SCORE_ID = ScoreId("enwiki", "damaging", 1, "0.5.1")
VALUE = encode_result(SCORE_ID, a_score()).encode()


def is_remembered(remembered: Remembered, key: str) -> bool:
    return remembered.find([key]) != [None]


@pytest.mark.parametrize(
    ("answer", "holder", "is_kept"),
    [
        (a_score(), None, True),
        (a_score(), "somebody", False),
        (a_score_error(message='"status":"SUCCESS"'), None, False),
        (NoAnswer("late"), "somebody", False),
    ],
)
def test_only_cached_scores_are_remembered(answer: Answer, holder: str | None, is_kept: bool) -> None:
    remembered = Remembered()
    remembered.read("key", encode_result(SCORE_ID, answer, holder=holder).encode())

    assert is_remembered(remembered, "key") is is_kept


def test_the_latest_are_remembered_and_no_more_than_twice_as_many() -> None:
    remembered = Remembered()
    for number in range(5 * FEWEST_REMEMBERED):
        remembered.read(str(number), VALUE)

    assert len(remembered) <= 2 * FEWEST_REMEMBERED
    assert all(is_remembered(remembered, str(number)) for number in range(4 * FEWEST_REMEMBERED, 5 * FEWEST_REMEMBERED))


@pytest.mark.parametrize(
    ("seconds", "is_kept"), [((0.9,), True), ((0.9, 0.9), True), ((0.9, 0.9, 0.9), False), ((2.0,), False)]
)
def test_what_was_read_is_looked_up_again_after_a_while(seconds: tuple[float, ...], is_kept: bool) -> None:
    remembered = Remembered(clock := Clock())
    remembered.read("key", VALUE)
    for part in seconds:
        clock.now += part * REMEMBERED_SECONDS
        is_there = is_remembered(remembered, "key")

    assert is_there is is_kept
