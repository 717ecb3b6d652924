"""Who may ask a database server: places that are waited for only while they move, and a circuit with one probe."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox.errors import DatabaseUnavailable, ServerGone
from outbox.gate import Places, ServerCircuit, rest_before
from tests.clock import Clock
from tests.patience import PATIENCE_SECONDS

ages = st.lists(st.floats(0, 100), max_size=20)


@given(ages, st.integers(1, 20))
def test_nobody_waits_where_a_place_is_free(held: list[float], most: int) -> None:
    assert (rest_before(held, most) == 0.0) == (len(held) < most)


@given(ages.filter(bool), st.floats(0.1, 10))
def test_places_are_waited_for_until_even_the_youngest_holder_hangs(held: list[float], hang: float) -> None:
    rest = rest_before(held, len(held), hang)

    assert (rest is None) == (min(held) >= hang)
    if rest is not None:
        assert 0 < rest <= hang
        assert rest_before([age + rest for age in held], len(held), hang) is None or min(held) + rest < hang


def test_a_transaction_is_refused_at_once_while_all_places_hang() -> None:
    clock = Clock()
    places = Places(2, patience=60, hang=2, clock=clock)
    with places.place("enwiki"), places.place("frwiki"):
        clock.now += 2
        with (
            pytest.raises(DatabaseUnavailable, match=r"^hewiki: all places .* taken, the longest for 2 s; see"),
            places.place("hewiki"),
        ):
            pass

    with places.place("hewiki"):
        assert places.held() == {"hewiki": 1}


def test_a_wiki_that_hangs_holds_half_of_the_places_at_most() -> None:
    clock = Clock()
    places = Places(4, patience=60, hang=2, clock=clock)
    with places.place("enwiki"), places.place("enwiki"):
        clock.now += 2
        with pytest.raises(DatabaseUnavailable, match="the wiki's places"), places.place("enwiki"):
            pass
        with places.place("frwiki"), places.place("frwiki"):
            assert places.held() == {"enwiki": 2, "frwiki": 2}


def test_a_place_that_becomes_free_is_taken_by_who_waits() -> None:
    places = Places(2, patience=PATIENCE_SECONDS, hang=PATIENCE_SECONDS)
    leave, waiting = Event(), Barrier(2, timeout=PATIENCE_SECONDS)

    def hold() -> None:
        with places.place("enwiki"):
            waiting.wait()
            leave.wait()

    def take() -> str:
        with places.place("enwiki"):
            return "taken"

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(hold)
        waiting.wait()
        taker = pool.submit(take)
        assert not taker.done()
        leave.set()

        assert taker.result(timeout=PATIENCE_SECONDS) == "taken"
        holder.result(timeout=PATIENCE_SECONDS)


def test_nobody_waits_for_longer_than_the_deadline_however_the_others_get_on() -> None:
    clock = Clock()
    places = Places(2, patience=1, hang=60, clock=clock)

    def later(_rest: float | None = None) -> bool:
        clock.now += 1
        return True

    with places.place("enwiki"), places.place("frwiki"), pytest.MonkeyPatch.context() as patched:
        patched.setattr(places._changed, "wait", later)
        with pytest.raises(DatabaseUnavailable), places.place("hewiki"):
            pass


def test_a_place_is_left_whatever_happens_in_it() -> None:
    places = Places(2, patience=1)
    with pytest.raises(SystemExit), places.place("enwiki"):
        raise SystemExit

    assert not places.held()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[bool]:
    return []


@pytest.fixture
def circuit(clock: Clock, changes: list[bool]) -> ServerCircuit:
    return ServerCircuit(changes.append, clock=clock, probe=1)


def is_refused(circuit: ServerCircuit) -> bool:
    try:
        with circuit.admitted("enwiki"):
            return False
    except ServerGone:
        return True


def test_a_closed_circuit_lets_everybody_in(circuit: ServerCircuit) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(circuit.admitted("enwiki"))


def test_an_open_circuit_refuses_with_its_reason_in_the_words_of_the_wiki(circuit: ServerCircuit) -> None:
    circuit.opened("the server {hangs}; correct wikis.{wiki}.database_url")

    with (
        pytest.raises(ServerGone, match=r"^enwiki: the server {hangs}; correct wikis\.enwiki\.database_url$"),
        circuit.admitted("enwiki"),
    ):
        pass


def test_one_probe_at_a_time_is_let_in_after_a_while(circuit: ServerCircuit, clock: Clock) -> None:
    circuit.opened("gone")
    clock.now += 1

    with circuit.admitted("enwiki"):
        assert is_refused(circuit)
    assert not is_refused(circuit)


def test_a_probe_that_fails_is_the_last_for_a_while(circuit: ServerCircuit, clock: Clock) -> None:
    circuit.opened("gone")
    clock.now += 1
    with circuit.admitted("enwiki"):
        circuit.opened("still gone")

    assert is_refused(circuit)
    clock.now += 1
    assert not is_refused(circuit)


def test_the_first_success_closes_it_and_each_change_is_told_once(circuit: ServerCircuit, changes: list[bool]) -> None:
    circuit.closed()
    circuit.opened("gone")
    circuit.opened("gone")
    circuit.closed()
    circuit.closed()

    assert not is_refused(circuit)
    assert changes == [True, False]
