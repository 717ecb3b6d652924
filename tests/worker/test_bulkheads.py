"""What one endpoint, sink or wiki may hold of a process, whatever hangs in it."""

import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.patience import PATIENCE_SECONDS
from worker.config.settings_sections import WorkerSettings
from worker.lanes.bulkheads import Bulkheads, Computing

WIKIS = ("enwiki", "frwiki", "itwiki")
RESOURCES = ("endpoint", "endpoint far", "sink eventgate")


def held(bulkheads: Bulkheads, stack: ExitStack, wiki: str, *resources: str, tries: int = 100) -> int:
    """How many turns of *wiki* get their places, of which none is ever left."""
    return sum(stack.enter_context(bulkheads.place(resources, wiki=wiki)) for _ in range(tries))


@pytest.mark.parametrize(("threads", "most"), [(8, 1), (32, 7), (64, 14)])
def test_a_wiki_that_hangs_leaves_three_quarters_of_the_threads_and_a_place_for_others(threads: int, most: int) -> None:
    bulkheads = Bulkheads(WorkerSettings(threads=threads).places)
    with bulkheads.place(["endpoint"], wiki="frwiki") as is_not_alone:
        assert is_not_alone
    with ExitStack() as stack:
        hanging = held(bulkheads, stack, "enwiki", "endpoint")
        assert threads - hanging >= threads * 3 / 4
        assert hanging == most
        assert held(bulkheads, stack, "frwiki", "endpoint") >= 1


@pytest.mark.parametrize("threads", [32, 64])
def test_a_wiki_whose_edits_and_scores_on_demand_hang_leaves_three_quarters_of_the_threads_too(threads: int) -> None:
    bulkheads = Bulkheads(WorkerSettings(threads=threads).places)
    with ExitStack() as stack:
        assert held(bulkheads, stack, "frwiki", "endpoint", tries=1) == 1
        hanging = held(bulkheads, stack, "enwiki", "endpoint") + held(bulkheads, stack, "enwiki", "on demand")
        assert threads - hanging >= threads * 3 / 4
        # Nothing that hangs keeps it from its sinks.
        assert held(bulkheads, stack, "enwiki", "sink eventgate") == 1


def test_an_endpoint_that_hangs_for_all_its_wikis_leaves_three_quarters_of_the_threads() -> None:
    bulkheads = Bulkheads(WorkerSettings(threads=64).places)
    with ExitStack() as stack:
        hanging = sum(held(bulkheads, stack, f"far{number}wiki", "endpoint far", tries=3) for number in range(150))
        assert 14 <= hanging <= 16
        assert held(bulkheads, stack, "enwiki", "endpoint") == 14


def test_a_wiki_that_is_alone_may_hold_all_places_of_an_endpoint() -> None:
    bulkheads = Bulkheads(8, ["enwiki"])
    with ExitStack() as stack:
        assert held(bulkheads, stack, "enwiki", "endpoint") == 8


def test_a_wiki_that_has_its_turns_first_leaves_places_for_the_others_too() -> None:
    bulkheads = Bulkheads(8, ["enwiki", "frwiki"])
    with ExitStack() as stack:
        assert held(bulkheads, stack, "enwiki", "endpoint") < 8
        assert held(bulkheads, stack, "frwiki", "endpoint", tries=1) == 1


def test_who_lacks_a_place_with_one_of_several_holds_none_of_the_others() -> None:
    bulkheads = Bulkheads(1)
    with bulkheads.place(["endpoint"], wiki="enwiki"):
        with bulkheads.place(["endpoint", "endpoint far"], wiki="frwiki") as has_place:
            assert not has_place
            assert bulkheads.taken() == {"endpoint": 1}
        with bulkheads.place(["endpoint far"], wiki="frwiki") as has_place:
            assert has_place


@given(
    places=st.integers(1, 20),
    asked=st.lists(st.tuples(st.sampled_from(WIKIS), st.sets(st.sampled_from(RESOURCES), min_size=1)), max_size=80),
)
def test_no_resource_has_more_turns_than_places_and_all_are_left_in_the_end(
    places: int, asked: list[tuple[str, set[str]]]
) -> None:
    bulkheads = Bulkheads(places)
    with ExitStack() as stack:
        for wiki, resources in asked:
            stack.enter_context(bulkheads.place(resources, wiki=wiki))
            assert max(bulkheads.taken().values(), default=0) <= places
    assert bulkheads.taken() == {}


def test_a_place_is_left_whatever_ends_the_turn() -> None:
    bulkheads = Bulkheads(1)
    with pytest.raises(SystemExit), bulkheads.place(["endpoint"], wiki="enwiki"):
        raise SystemExit
    assert bulkheads.taken() == {}


def test_a_turn_that_waits_lets_others_compute() -> None:
    computing = Computing(1)
    done = threading.Event()

    def compute() -> None:
        with computing.turn():
            done.set()

    other = threading.Thread(target=compute, daemon=True)
    with computing.turn():
        other.start()
        assert not done.is_set()
        with computing.waiting():
            assert done.wait(PATIENCE_SECONDS)
    other.join(PATIENCE_SECONDS)
