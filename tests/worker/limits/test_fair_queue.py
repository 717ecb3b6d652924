"""Whose turn it is among those who wait, whoever comes and goes."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from worker.endpoints.fair_queue import FairQueue

WIKIS = ("enwiki", "dewiki", "frwiki", "itwiki")
MODELS = ("damaging", "goodfaith")


def anybody(_: object) -> bool:
    return True


def test_one_that_comes_does_not_wait_for_the_next_turn_of_one_with_much_behind() -> None:
    waiting: FairQueue[str] = FairQueue()
    for _ in range(10):
        waiting.put(("enwiki",), "enwiki")
    assert [waiting.take(anybody), waiting.take(anybody)] == ["enwiki"] * 2
    waiting.put(("dewiki",), "dewiki")
    assert waiting.take(anybody) == "dewiki"


def test_one_that_comes_again_and_again_has_no_more_turns_than_one_with_much_behind() -> None:
    waiting: FairQueue[str] = FairQueue()
    for _ in range(20):
        waiting.put(("enwiki",), "enwiki")
    served = []
    for _ in range(20):
        if "dewiki" not in {path[0] for path in waiting.paths()}:
            waiting.put(("dewiki",), "dewiki")
        served.append(waiting.take(anybody))
    assert Counter(served) == {"enwiki": 10, "dewiki": 10}


#: Somebody comes, or the next is served.
STEPS = st.lists(st.one_of(st.none(), st.tuples(st.sampled_from(WIKIS), st.sampled_from(MODELS))), max_size=60)


class Judge:
    """Notes who had a turn while others waited."""

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()
        #: Wiki to those who had a turn since it waits.
        self._passed: dict[str, set[str]] = defaultdict(set)

    def comes(self, wiki: str) -> None:
        self.waiting[wiki] += 1

    def is_served(self, wiki: str) -> None:
        self.waiting[wiki] -= 1
        self.waiting = +self.waiting
        self._passed.pop(wiki, None)
        for other in self.waiting.keys() - {wiki}:
            assert wiki not in self._passed[other], f"{wiki} is served twice, and {other} waits"
            self._passed[other].add(wiki)


@given(STEPS)
def test_nobody_is_served_twice_while_another_waits_and_all_are_served(steps: list[tuple[str, str] | None]) -> None:
    queue: FairQueue[str] = FairQueue()
    judge = Judge()
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            queue.put(step, step[0])
            judge.comes(step[0])
        elif (served := queue.take(anybody)) is not None:
            judge.is_served(served)
    assert judge.waiting.total() == 0


@given(STEPS)
def test_it_knows_how_many_wait_and_where(steps: list[tuple[str, str] | None]) -> None:
    waiting: FairQueue[tuple[str, str]] = FairQueue()
    left: list[tuple[str, str]] = []
    for step in steps:
        if step is not None:
            waiting.put(step, step)
            left.append(step)
        elif waiting:
            served = waiting.take(anybody)
            assert served is not None
            left.remove(served)
        assert (len(waiting), bool(waiting), set(waiting.paths())) == (len(left), bool(left), set(left))


@given(STEPS, st.sampled_from(WIKIS))
def test_those_who_may_not_be_served_keep_their_place(steps: list[tuple[str, str] | None], held: str) -> None:
    waiting: FairQueue[tuple[str, str]] = FairQueue()
    for step in filter(None, steps):
        waiting.put(step, step)
    while waiting.take(lambda path: path[0] != held) is not None:
        pass
    assert {path[0] for path in waiting.paths()} <= {held}
    assert len(waiting) == sum(1 for step in steps if step and step[0] == held)
