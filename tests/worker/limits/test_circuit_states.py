"""The circuit: closed, open and half open, as all workers see it together."""

import pytest

from tests.worker.limits.crowd import TIMEOUT_SECONDS, Crowd, ceilings
from worker.endpoints.limits import (
    FIRST_OPEN_SECONDS,
    LATE_SECONDS,
    LEAD_SECONDS,
    LONGEST_OPEN_SECONDS,
    OUTAGES_TO_OPEN,
    REFUSAL_COUNTS_SECONDS,
    SERVES_SECONDS,
    Report,
    alarm,
)

MEMBERS = [f"worker {number}" for number in range(20)]


def test_outages_in_a_row_open_the_circuit_whoever_tells_of_them() -> None:
    crowd = Crowd(ceilings())
    turns = [crowd.ask(member, Report(outages=1)).turn for member in MEMBERS[:OUTAGES_TO_OPEN]]

    assert turns == [None] * (OUTAGES_TO_OPEN - 1) + ["opened"]


def test_one_served_request_among_the_outages_keeps_the_circuit_closed() -> None:
    crowd = Crowd(ceilings())
    for _ in range(10):
        crowd.ask("a", Report(outages=OUTAGES_TO_OPEN - 1))
        assert crowd.ask("b", Report(served=1), want=1).pause == 0


def test_refusals_open_no_circuit() -> None:
    crowd = Crowd(ceilings())
    for _ in range(3 * OUTAGES_TO_OPEN):
        assert crowd.ask("a", Report(throttled=1)).pause == 0


def test_an_open_circuit_grants_nothing_to_anybody_and_says_for_how_long() -> None:
    crowd = Crowd(ceilings())
    crowd.open_circuit()
    grants = [crowd.ask(member, want=10) for member in MEMBERS]

    assert {grant.requests for grant in grants} == {0}
    assert {round(grant.pause, 3) for grant in grants} == {FIRST_OPEN_SECONDS}


def test_that_it_opened_is_told_to_one_worker_once() -> None:
    crowd = Crowd(ceilings())
    turns = [crowd.ask(member, Report(outages=2)).turn for member in MEMBERS]

    assert turns.count("opened") == 1


def test_half_open_grants_one_request_to_one_of_many() -> None:
    crowd = Crowd(ceilings())
    crowd.half_open_circuit()
    grants = [crowd.ask(member, want=10) for member in MEMBERS]

    assert [grant.requests for grant in grants] == [1] + [0] * (len(MEMBERS) - 1)
    assert all(grant.pause > 0 for grant in grants[1:])


def test_who_wants_nothing_is_told_that_somebody_is_probing_already() -> None:
    crowd = Crowd(ceilings())
    crowd.half_open_circuit()
    assert crowd.ask("a").pause == 0
    crowd.ask("b", want=1)

    assert crowd.ask("a").pause > 0


def test_asking_without_wanting_anything_is_no_probe() -> None:
    crowd = Crowd(ceilings())
    crowd.half_open_circuit()
    crowd.ask("a")

    assert crowd.ask("b", want=1).requests == 1


def test_one_served_request_closes_the_circuit_and_that_is_told_once() -> None:
    crowd = Crowd(ceilings())
    crowd.half_open_circuit()
    crowd.ask("a", want=1)
    turns = [crowd.ask(member, Report(served=1)).turn for member in MEMBERS]

    assert turns == ["closed"] + [None] * (len(MEMBERS) - 1)
    assert crowd.ask("b", want=5).requests == 5


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_the_longest() -> None:
    crowd = Crowd(ceilings())
    crowd.half_open_circuit()
    pauses = []
    for _ in range(10):
        assert crowd.ask("a", want=1).requests == 1
        grant = crowd.ask("a", Report(outages=1))
        pauses.append(grant.pause)
        assert grant.turn is None
        crowd.now += grant.pause + 0.001

    doubled = [FIRST_OPEN_SECONDS * 2**number for number in range(1, 11)]
    assert pauses == pytest.approx([min(LONGEST_OPEN_SECONDS, seconds) for seconds in doubled])


def test_after_it_closed_it_opens_for_the_first_time_again() -> None:
    crowd = Crowd(ceilings())
    for _ in range(2):
        crowd.half_open_circuit()
        crowd.ask("a", want=1)
        crowd.ask("a", Report(outages=1))
    crowd.ask("a", Report(served=1))
    crowd.open_circuit()

    assert crowd.ask("a").pause == pytest.approx(FIRST_OPEN_SECONDS)


def test_what_was_under_way_when_it_opened_prolongs_nothing() -> None:
    crowd = Crowd(ceilings())
    crowd.open_circuit()
    crowd.now += 0.5 * FIRST_OPEN_SECONDS

    assert crowd.ask("a", Report(outages=20)).pause == pytest.approx(0.5 * FIRST_OPEN_SECONDS)


def test_a_prober_that_dies_blocks_the_others_no_longer_than_its_request_could_last() -> None:
    crowd = Crowd(ceilings())
    crowd.half_open_circuit()
    crowd.ask("dead", want=1)
    crowd.now += TIMEOUT_SECONDS
    assert crowd.ask("a", want=1).requests == 0

    crowd.now += LEAD_SECONDS + LATE_SECONDS
    assert crowd.ask("a", want=1).requests == 1


def test_a_probe_that_is_refused_leaves_it_half_open_for_the_next() -> None:
    crowd = Crowd(ceilings(timeout_seconds=100))
    crowd.half_open_circuit()
    crowd.ask("a", want=1)
    assert crowd.ask("a", Report(throttled=1, pause=3)).pause == pytest.approx(3)
    crowd.now += 3.001

    assert crowd.ask("b", want=1).requests == 1


def test_who_finds_no_slot_does_not_count_as_the_prober() -> None:
    crowd = Crowd(ceilings(concurrency=1, timeout_seconds=100))
    crowd.ask("hanging", want=1)
    crowd.half_open_circuit()
    assert crowd.ask("a", want=1).requests == 0

    crowd.ask("hanging", in_flight=0)
    assert crowd.ask("a", want=1).requests == 1


def test_who_finds_no_start_near_enough_does_not_count_as_the_prober() -> None:
    crowd = Crowd(ceilings(requests_per_second=0.1, timeout_seconds=100))
    crowd.ask("a", want=1)
    crowd.half_open_circuit()
    assert crowd.ask("b", want=1).requests == 0

    crowd.now += 12
    assert crowd.ask("c", want=1).requests == 1


def test_a_pause_that_the_endpoint_asks_for_holds_for_all_workers() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, pause=7))
    grants = [crowd.ask(member, want=5) for member in MEMBERS]

    assert {grant.requests for grant in grants} == {0}
    assert [grant.pause for grant in grants] == pytest.approx([7] * len(MEMBERS))


def test_neither_a_shorter_pause_nor_a_served_request_ends_a_pause() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, pause=7))
    crowd.ask("b", Report(throttled=1, pause=1))

    assert crowd.ask("c", Report(served=3)).pause == pytest.approx(7)


def test_after_the_pause_requests_are_granted_again() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, pause=7))
    crowd.now += 7.001

    assert crowd.ask("b", want=3).requests == 3


def refused(count: int = 1) -> Report:
    return Report(outages=count, refused=count, reason="status 403", refusal="status 403")


def test_one_refusal_opens_the_circuit_where_nobody_was_served_lately() -> None:
    crowd = Crowd(ceilings())

    grant = crowd.ask("a", refused())

    assert (grant.turn, grant.reason) == ("opened", "status 403")


def test_where_others_are_served_a_refusal_is_an_outage_like_any_other() -> None:
    crowd = Crowd(ceilings())
    for _ in range(3 * OUTAGES_TO_OPEN):
        crowd.ask("a", Report(served=1))
        assert crowd.ask("b", refused(OUTAGES_TO_OPEN - 1)).turn is None
        crowd.now += SERVES_SECONDS / 2


def test_an_open_circuit_tells_everybody_why() -> None:
    crowd = Crowd(ceilings())
    crowd.open_circuit()
    crowd.ask("a", Report(outages=1, reason="status 503"))

    assert {crowd.ask(member).reason for member in MEMBERS} == {"status 503"}
    assert alarm(crowd.state, crowd.now) == "nobody is served: status 503"


def test_a_circuit_that_closes_ends_the_alarm_of_what_opened_it() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", refused())
    crowd.ask("a", Report(served=1))

    assert alarm(crowd.state, crowd.now) is None
    assert crowd.ask("a").reason == ""


def test_a_refusal_beside_what_is_served_is_an_alarm_for_as_long_as_it_comes_again() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(served=1))
    crowd.ask("a", refused())
    crowd.ask("b", Report(served=1))

    assert alarm(crowd.state, crowd.now + 5) == "refused 5 s ago: status 403"
    assert alarm(crowd.state, crowd.now + REFUSAL_COUNTS_SECONDS) is None


def test_outages_and_throttling_that_open_no_circuit_are_no_alarm() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(served=1))
    crowd.ask("a", Report(outages=OUTAGES_TO_OPEN - 1, throttled=3, reason="status 503"))

    assert alarm(crowd.state, crowd.now) is None


def test_refusals_beside_what_is_served_do_not_lower_the_rate_as_outages_do() -> None:
    crowd = Crowd(ceilings())
    for _ in range(20):
        crowd.ask("a", Report(served=1).plus(refused()))
        crowd.now += 2.0
    rate = crowd.state.rate
    crowd.ask("a", Report(served=1, outages=1))

    assert crowd.state.rate < rate == crowd.ceilings.requests_per_second
