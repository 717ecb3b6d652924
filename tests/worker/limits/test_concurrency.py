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
        """Ask for *want* starts and start what was granted, as far as there are slots."""
        now = self.crowd.now
        ours = self.requests.setdefault(member, [])
        # What it was granted and has not started yet, it does not start after asking anew.
        ours[:] = [(began, ended) for began, ended in ours if began <= now < ended]
        grant = self.crowd.ask(member, in_flight=len(ours), want=want)
        for start in starts_of(grant, now):
            begin = start + late
            if self.under_way(begin, member) < grant.slots:
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
def test_slots_sum_to_no_more_than_the_concurrency_but_for_what_is_under_way_already(
    concurrency: int, turns: list[tuple[float, str, int, int]]
) -> None:
    crowd = Crowd(ceilings(concurrency=concurrency))
    forced: dict[str, int] = {}
    for wait, member, want, in_flight in turns:
        crowd.now += wait
        grant = crowd.ask(member, in_flight=in_flight, want=want)
        forced[member] = in_flight
        held = {name: slots for name, (slots, until) in crowd.state.members.items() if until > crowd.now}
        assert grant.slots == max(in_flight, held.get(member, 0))
        assert sum(held.values()) <= concurrency + sum(forced[name] for name in held)


def test_a_worker_alone_may_take_all_slots() -> None:
    crowd = Crowd(ceilings(concurrency=32))

    assert crowd.ask("a", want=100).slots == 32


def test_a_worker_gets_no_more_slots_than_it_has_requests_for() -> None:
    crowd = Crowd(ceilings(concurrency=32))

    assert crowd.ask("a", in_flight=2, want=3).slots == 5


def test_nobody_takes_more_than_a_fair_share_while_others_want_slots_too() -> None:
    crowd = Crowd(ceilings(concurrency=32))
    crowd.ask("a", want=1)

    assert crowd.ask("b", want=100).slots == 16


def test_a_worker_that_has_all_slots_lets_go_of_them_for_one_that_waits() -> None:
    crowd = Crowd(ceilings(concurrency=32))
    crowd.ask("a", want=100)
    assert crowd.ask("b", want=100).slots == 0

    slots = {"a": 32, "b": 0}
    for _ in range(40):
        crowd.now += 0.1
        # One of its requests ends, and it has always more to send.
        slots["a"] = crowd.ask("a", in_flight=slots["a"] - 1, want=100).slots
        slots["b"] = crowd.ask("b", in_flight=slots["b"], want=100).slots

    assert slots == {"a": 16, "b": 16}


def test_who_waited_for_a_slot_and_stopped_asking_does_not_count_for_long() -> None:
    crowd = Crowd(ceilings(concurrency=32))
    crowd.ask("a", want=100)
    crowd.ask("b", want=100)
    crowd.now += 1.1

    assert crowd.ask("a", in_flight=20, want=100).slots == 32


def test_a_worker_without_a_slot_is_granted_no_start() -> None:
    crowd = Crowd(ceilings(concurrency=1))
    crowd.ask("a", want=1)
    crowd.now += 1

    assert crowd.ask("b", want=1).requests == 0


def test_one_that_wants_nothing_and_has_nothing_under_way_gives_its_slots_back() -> None:
    crowd = Crowd(ceilings(concurrency=2))
    crowd.ask("a", want=2)
    crowd.ask("a")

    assert crowd.ask("b", want=2).slots == 2


def test_one_that_wants_nothing_keeps_the_slots_of_what_is_under_way() -> None:
    crowd = Crowd(ceilings(concurrency=4))
    crowd.ask("a", want=4)
    crowd.ask("a", in_flight=3)

    assert crowd.ask("b", want=4).slots == 1


def test_the_slots_of_a_dead_worker_come_back_once_its_requests_must_have_ended() -> None:
    crowd = Crowd(ceilings(concurrency=2))
    crowd.ask("dead", want=2)
    crowd.now += TIMEOUT_SECONDS
    assert crowd.ask("a", want=2).slots == 0

    crowd.now += LEAD_SECONDS + LATE_SECONDS
    assert crowd.ask("a", want=2).slots == 2


@pytest.mark.parametrize("members", [1, 3, 7, 32, 100])
def test_workers_that_can_not_speak_with_each_other_keep_to_the_rate_together(members: int) -> None:
    share = ceilings(requests_per_second=100, concurrency=32).divided_by(members)

    assert share.requests_per_second * members == pytest.approx(100)
    assert share.concurrency == max(1, 32 // members)
