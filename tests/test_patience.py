"""A wait lasts as long as something moves."""

from itertools import count

import pytest

from tests.patience import WaitedInVain, until


def test_it_ends_when_what_was_waited_for_is_there() -> None:
    looks = count()

    until(lambda: next(looks) == 3, "the third look", pause=0)


def test_it_goes_on_for_as_long_as_something_moves() -> None:
    looks, steps = count(), count()

    until(lambda: next(looks) == 30, "the thirtieth look", progress=lambda: next(steps), patience=0.01, pause=0.005)


def test_it_fails_when_nothing_moves_any_more() -> None:
    with pytest.raises(WaitedInVain, match=r"^waited in vain for an end; nothing had moved for 0\.02 s$"):
        until(lambda: False, "an end", progress=lambda: "still", patience=0.02, pause=0.005)
