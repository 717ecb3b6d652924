"""What the processes tell each other of an endpoint that serves nobody, and what becomes an alarm."""

from tests.worker.limits.crowd import Crowd, ceilings
from worker.endpoints.limits import ALARM_SECONDS, THROTTLED_SECONDS, Report, alarm

MEMBERS = [f"worker {number}" for number in range(20)]


def test_a_pause_that_the_endpoint_asks_for_holds_for_all() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, pause=7))
    grants = [crowd.ask(member, want=5) for member in MEMBERS]

    assert {grant.starts for grant in grants} == {0}
    assert {round(grant.pause, 3) for grant in grants} == {7}


def test_neither_a_shorter_pause_nor_a_served_request_ends_a_pause() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, pause=7))
    crowd.ask("b", Report(throttled=1, pause=1))

    assert round(crowd.ask("c", Report(served=3)).pause, 3) == 7


def test_after_the_pause_starts_are_sold_again() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, pause=7))
    crowd.now += 7.001

    assert crowd.ask("b", want=3).starts == 3


def test_that_nobody_is_served_is_an_alarm_with_the_reason() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(outage="status 500"))
    crowd.ask("b", Report(outage="status 503"))

    assert alarm(crowd.state, crowd.now) == "nobody is served: status 503"


def test_an_outage_of_which_nobody_tells_any_more_is_no_alarm() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(outage="status 500"))

    assert alarm(crowd.state, crowd.now + ALARM_SECONDS) is None


def test_one_served_request_ends_the_alarm_of_an_outage_and_of_what_was_refused_in_it() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(outage="status 403", refusal="status 403"))
    crowd.ask("b", Report(served=1))

    assert alarm(crowd.state, crowd.now) is None


def test_a_refusal_beside_what_is_served_is_an_alarm_for_as_long_as_it_comes_again() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(served=1))
    crowd.ask("a", Report(refusal="status 403"))
    crowd.ask("b", Report(served=1))

    assert alarm(crowd.state, crowd.now + 5) == "refused 5 s ago: status 403"
    assert alarm(crowd.state, crowd.now + ALARM_SECONDS) is None


def test_being_throttled_alone_is_no_alarm() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=3))

    assert alarm(crowd.state, crowd.now) is None


def test_being_throttled_for_a_minute_while_nobody_is_served_is_an_alarm_with_the_reason_and_the_cure() -> None:
    crowd = Crowd(ceilings())
    crowd.ask("a", Report(throttled=1, throttling="status 429: quota used up", pause=300))
    crowd.now += THROTTLED_SECONDS
    crowd.ask("b", Report(throttled=1, throttling="status 429: no quota left"))

    said = alarm(crowd.state, crowd.now)
    assert said is not None
    assert said.startswith("nobody has been served for 60 s: status 429: no quota left; lower its requests_per_second")
    # It waits for as long as it was told to.
    assert alarm(crowd.state, crowd.now + 239) is not None
    assert alarm(crowd.state, crowd.now + 241) is None


def test_one_served_request_begins_the_minute_anew() -> None:
    crowd = Crowd(ceilings())
    throttled = Report(throttled=1, throttling="status 429")
    crowd.ask("a", throttled)
    crowd.now += THROTTLED_SECONDS
    crowd.ask("b", Report(served=1))
    crowd.ask("a", throttled)

    assert alarm(crowd.state, crowd.now + 1) is None
    assert alarm(crowd.state, crowd.now + THROTTLED_SECONDS) is not None


def test_refusals_beside_what_is_served_do_not_lower_the_rate() -> None:
    crowd = Crowd(ceilings())
    for _ in range(20):
        crowd.ask("a", Report(served=1, refusal="status 403"))
        crowd.now += 2.0

    assert crowd.state.rate == crowd.ceilings.requests_per_second
