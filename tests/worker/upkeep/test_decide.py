"""Which version of a model becomes current, judged by what was seen: never without a majority, and not at once."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.scores.candidates import Candidate, Finding, judge_versions

OLD, NEW, OTHER = "0.5.1", "0.6.0", "0.7.0"
SETTLE = 300.0
REPLIES, MINUTE, DAY = 20, 60.0, 86_400.0
#: One look wins nothing by itself, so a month holds more chances than any deployment.
DAYS = 30

versions = st.sampled_from([OLD, NEW, OTHER])
replies = st.dictionaries(versions, st.integers(1, 30), max_size=3)
candidates = st.none() | st.builds(Candidate, versions, st.floats(0, 1000))
settling = st.floats(0, 600)
percents = st.integers(51, 100)


def judged(
    seen: Mapping[str, int],
    *,
    current: str | None = OLD,
    candidate: Candidate | None = None,
    settle_seconds: float = SETTLE,
    majority: float = 0.8,
) -> tuple[Finding, str | None]:
    return judge_versions(current, candidate, seen, settle_seconds=settle_seconds, majority=majority)


def test_the_first_version_ever_wins_at_once() -> None:
    assert judged({NEW: 1}, current=None) == (Finding.CHANGED, NEW)


def test_of_two_first_versions_neither_wins_without_a_majority() -> None:
    assert judged({OLD: 10, NEW: 10}, current=None) == (Finding.MIXED, None)


def test_a_model_that_is_not_told_is_left_alone() -> None:
    assert judged({}, candidate=Candidate(NEW, 1000)) == (Finding.NOT_TOLD, None)


def test_a_model_that_was_never_told_is_left_alone() -> None:
    assert judged({}, current=None) == (Finding.NOT_TOLD, None)


def test_a_new_version_waits_at_its_first_look() -> None:
    assert judged({NEW: 20}) == (Finding.WAITING, NEW)


@pytest.mark.parametrize(
    ("seconds", "finding"), [(0.0, Finding.WAITING), (299.9, Finding.WAITING), (300.0, Finding.CHANGED)]
)
def test_a_new_version_wins_after_the_time_to_settle_and_not_before(seconds: float, finding: Finding) -> None:
    assert judged({NEW: 20}, candidate=Candidate(NEW, seconds)) == (finding, NEW)


def test_the_time_that_another_candidate_waited_does_not_count() -> None:
    assert judged({NEW: 20}, candidate=Candidate(OTHER, 1000)) == (Finding.WAITING, NEW)


def test_a_candidate_that_is_seen_no_more_does_not_win() -> None:
    assert judged({OLD: 20}, candidate=Candidate(NEW, 1000)) == (Finding.UNCHANGED, OLD)


def test_without_a_time_to_settle_a_new_version_wins_at_its_first_look() -> None:
    assert judged({NEW: 20}, settle_seconds=0) == (Finding.CHANGED, NEW)


def test_without_a_time_to_settle_a_majority_is_needed_all_the_same() -> None:
    assert judged({NEW: 15, OLD: 5}, settle_seconds=0) == (Finding.MIXED, None)


def test_a_majority_of_all_is_lost_to_a_single_reply() -> None:
    assert judged({NEW: 19, OLD: 1}, majority=1, candidate=Candidate(NEW, 1000)) == (Finding.MIXED, None)


@given(percent=percents, count=st.integers(1, 100), total=st.just(100) | st.just(20))
def test_a_share_that_is_just_the_majority_is_enough(percent: int, count: int, total: int) -> None:
    count = total // 2 + 1 + count % (total // 2)
    seen = {NEW: count, OLD: total - count} if count < total else {NEW: count}

    finding, _ = judged(seen, majority=percent / 100)

    assert (finding is not Finding.MIXED) == (count * 100 >= percent * total)


@given(current=st.none() | versions, candidate=candidates, seen=replies, settle=settling, percent=percents)
def test_no_version_wins_without_a_majority(
    current: str | None, candidate: Candidate | None, seen: dict[str, int], settle: float, percent: int
) -> None:
    finding, version = judge_versions(current, candidate, seen, settle_seconds=settle, majority=percent / 100)

    assert (version is None) == (finding in {Finding.MIXED, Finding.NOT_TOLD})
    assert version is None or seen[version] * 100 >= percent * sum(seen.values())


@given(current=versions, candidate=candidates, seen=replies, settle=st.floats(1, 600), percent=percents)
def test_a_version_wins_over_a_current_one_only_as_a_candidate_of_long_standing(
    current: str, candidate: Candidate | None, seen: dict[str, int], settle: float, percent: int
) -> None:
    finding, version = judge_versions(current, candidate, seen, settle_seconds=settle, majority=percent / 100)

    has_waited = candidate is not None and candidate.version == version and candidate.seconds >= settle
    assert (finding is Finding.CHANGED) == (version is not None and version != current and has_waited)


@given(current=st.none() | versions, candidate=candidates, seen=replies)
def test_the_order_in_which_replies_came_makes_no_difference(
    current: str | None, candidate: Candidate | None, seen: dict[str, int]
) -> None:
    backwards = dict(reversed(seen.items()))

    assert judged(seen, current=current, candidate=candidate) == judged(backwards, current=current, candidate=candidate)


@dataclass(slots=True)
class Observer:
    """Looks again and again and keeps what the tables would keep: the current version, and since when which waits."""

    current: str = OLD
    waiting: tuple[str, float] | None = None
    changes: int = 0

    def look(self, now: float, seen: Mapping[str, int]) -> None:
        candidate = Candidate(self.waiting[0], now - self.waiting[1]) if self.waiting else None
        finding, version = judged(seen, current=self.current, candidate=candidate)
        if finding is Finding.WAITING and version:
            self.waiting = self.waiting if candidate and candidate.version == version else (version, now)
        else:
            self.waiting = None
        if finding is Finding.CHANGED and version:
            self.current = version
            self.changes += 1


def replicas(share: float, seed: int, seconds: float) -> Iterator[tuple[float, Counter[str]]]:
    """A look a minute, for so long, at replicas of which that *share* runs the new version."""
    chance = random.Random(seed)
    for number in range(round(seconds / MINUTE)):
        yield number * MINUTE, Counter(NEW if chance.random() < share else OLD for _ in range(REPLIES))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_replicas_that_are_mixed_for_ever_never_flap(share: float, seed: int) -> None:
    observer = Observer()

    for now, seen in replicas(share, seed, DAYS * DAY / 3):
        observer.look(now, seen)

    # What most replicas run may win once; what few run never comes back.
    assert observer.changes <= (1 if share > 0.5 else 0)


@given(seed=st.integers(0, 2**32), minutes=st.integers(0, 60), share=st.floats(0, 1), offset=st.integers(0, 60))
def test_after_a_deployment_the_new_version_wins_within_the_time_to_settle_and_one_look(
    seed: int, minutes: int, share: float, offset: int
) -> None:
    observer = Observer()
    for now, seen in replicas(share, seed, minutes * MINUTE):
        observer.look(now, seen)
    ended = minutes * MINUTE
    now = ended + offset
    while now <= ended + SETTLE + MINUTE:
        observer.look(now, {NEW: REPLIES})
        now += MINUTE

    assert observer.current == NEW
    assert observer.waiting is None
