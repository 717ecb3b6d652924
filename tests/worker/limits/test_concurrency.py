"""How many requests are under way at once, whoever sent them."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.worker.limits.crowd import TIMEOUT_SECONDS, Crowd, ceilings, starts_of
from worker.endpoints.limits import LATE_SECONDS, LEAD_SECONDS


@dataclass(slots=True)
class Sending:
    """When the requests begin and end that each worker was granted; those of one that died are under way like any."""

    crowd: Crowd
    requests: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def under_way(self, moment: float, member: str | None = None) -> int:
        return sum(
            began <= moment < ended
            for name, requests in self.requests.items()
            if member in {None, name}
            for began, ended in requests
        )

    def turn(self, member: str, want: int, late: float, lasts: float) -> None:
        """Ask for *want* starts and start what was granted, as far as there are places."""
        now = self.crowd.now
        ours = self.requests.setdefault(member, [])
        # What it was granted and has not started yet, it does not start after asking anew.
        ours[:] = [(began, ended) for began, ended in ours if began <= now < ended]
        grant = self.crowd.ask(member, in_flight=len(ours), want=want)
        for start in starts_of(grant, now):
            begin = start + late
            if self.under_way(begin, member) < grant.places:
                ours.append((begin, begin + lasts))


TURNS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 0.1), st.floats(0, 3)),
        st.sampled_from("abcdefgh"),
        st.integers(0, 20),
        st.floats(0, LATE_SECONDS),
        st.one_of(st.floats(0.001, TIMEOUT_SECONDS), st.just(TIMEOUT_SECONDS)),
    ),
    max_size=80,
)


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(1, 20), TURNS)
def test_requests_under_way_never_exceed_the_concurrency_though_any_worker_may_stop_asking(
    concurrency: int, turns: list[tuple[float, str, int, float, float]]
) -> None:
    sending = Sending(Crowd(ceilings(requests_per_second=200, concurrency=concurrency)))
    for wait, member, want, late, lasts in turns:
        sending.crowd.now += wait
        sending.turn(member, want, late, lasts)
        moments = [began for requests in sending.requests.values() for began, _ in requests]
        assert max(map(sending.under_way, moments), default=0) <= concurrency


@settings(max_examples=examples(100), deadline=None)
@given(
    st.integers(1, 20),
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from("abcdefgh"), st.integers(0, 30), st.integers(0, 9)), max_size=60
    ),
)
def test_places_sum_to_no_more_than_the_concurrency_but_for_what_is_under_way_already(
    concurrency: int, turns: list[tuple[float, str, int, int]]
) -> None:
    crowd = Crowd(ceilings(concurrency=concurrency))
    forced: dict[str, int] = {}
    for wait, member, want, in_flight in turns:
        crowd.now += wait
        grant = crowd.ask(member, in_flight=in_flight, want=want)
        forced[member] = in_flight
        held = {name: places for name, (places, until) in crowd.state.members.items() if until > crowd.now}
        assert held.get(member, 0) == max(in_flight, grant.places)
        assert sum(held.values()) <= concurrency + sum(forced[name] for name in held)


def test_a_worker_alone_may_take_all_places() -> None:
    crowd = Crowd(ceilings(concurrency=32))

    assert crowd.ask("a", want=100).places == 32


def test_a_worker_gets_no_more_places_than_it_has_requests_for() -> None:
    crowd = Crowd(ceilings(concurrency=32))

    assert crowd.ask("a", in_flight=2, want=3).places == 5


def test_nobody_takes_more_than_a_fair_share_while_others_want_places_too() -> None:
    crowd = Crowd(ceilings(concurrency=32))
    crowd.ask("a", want=1)

    assert crowd.ask("b", want=100).places == 16


def test_a_worker_that_has_all_places_lets_go_of_them_for_one_that_waits() -> None:
    crowd = Crowd(ceilings(concurrency=32))
    crowd.ask("a", want=100)
    assert crowd.ask("b", want=100).places == 0

    places = {"a": 32, "b": 0}
    for _ in range(40):
        crowd.now += 0.1
        # One of its requests ends, and it has always more to send.
        places["a"] = crowd.ask("a", in_flight=places["a"] - 1, want=100).places
        places["b"] = crowd.ask("b", in_flight=places["b"], want=100).places

    assert places == {"a": 16, "b": 16}


def test_who_waited_for_a_slot_and_stopped_asking_does_not_count_for_long() -> None:
    crowd = Crowd(ceilings(concurrency=32))
    crowd.ask("a", want=100)
    crowd.ask("b", want=100)
    crowd.now += 1.1

    assert crowd.ask("a", in_flight=20, want=100).places == 32


def test_a_worker_without_a_slot_is_granted_no_start() -> None:
    crowd = Crowd(ceilings(concurrency=1))
    crowd.ask("a", want=1)
    crowd.now += 1

    assert crowd.ask("b", want=1).starts == 0


def test_one_that_wants_nothing_and_has_nothing_under_way_gives_its_places_back() -> None:
    crowd = Crowd(ceilings(concurrency=2))
    crowd.ask("a", want=2)
    crowd.ask("a")

    assert crowd.ask("b", want=2).places == 2


def test_one_that_wants_nothing_keeps_the_places_of_what_is_under_way() -> None:
    crowd = Crowd(ceilings(concurrency=4))
    crowd.ask("a", want=4)
    crowd.ask("a", in_flight=3)

    assert crowd.ask("b", want=4).places == 1


def test_the_places_of_a_dead_worker_come_back_once_its_requests_must_have_ended() -> None:
    crowd = Crowd(ceilings(concurrency=2))
    crowd.ask("dead", want=2)
    crowd.now += TIMEOUT_SECONDS
    assert crowd.ask("a", want=2).places == 0

    crowd.now += LEAD_SECONDS + LATE_SECONDS
    assert crowd.ask("a", want=2).places == 2


@pytest.mark.parametrize("members", [1, 3, 7, 32, 100])
def test_processes_that_can_not_speak_with_each_other_keep_to_the_rate_together(members: int) -> None:
    share = ceilings(requests_per_second=100, concurrency=32).divided_by(members)

    assert share.requests_per_second * members == pytest.approx(100)
    assert share.concurrency == max(1, 32 // members)


def test_fewer_places_than_processes_go_round() -> None:
    crowd = Crowd(ceilings(concurrency=1, requests_per_second=1000))
    holders: dict[str, int] = dict.fromkeys("abc", 0)
    for _ in range(300):
        crowd.now += 0.1
        for member in "abc":
            holders[member] += crowd.ask(member, want=5).places

    assert min(holders.values()) >= 80


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(1, 40), st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=30))
def test_a_newcomer_has_its_even_share_at_its_second_exchange_though_others_had_all(
    concurrency: int, history: list[tuple[str, int]]
) -> None:
    crowd = Crowd(ceilings(concurrency=concurrency))
    for member, want in history:
        crowd.ask(member, want=want)
    others = sorted(crowd.state.members)
    for member in ["newcomer", *others]:
        crowd.ask(member, want=1000)

    share = concurrency // (len(others) + 1)
    assert share <= crowd.ask("newcomer", want=1000).places <= share + 1
