"""The checker finds each kind of violation in made-up logs, and excuses what is no violation."""

from collections.abc import Sequence

import pytest

from tests.acceptance.flights.checker import SLACK_SECONDS, Disruption, check
from tests.acceptance.flights.records import Call, Record, What, contact_of, read_call, read_records

ID = "enwiki:damaging:1:0.5.1"
Log = tuple[list[Call], list[Record]]


def a_record(what: What, at: float, process: str = "p", **fields: object) -> Record:
    defaults = {"what": what, "score_id": ID, "at": at, "process": process, "thread": 0, "request": 1}
    return Record(**(defaults | fields))  # type: ignore[arg-type]


def a_request(start: float, end: float, process: str = "p", **fields: object) -> list[Record]:
    """Of one who got an answer without a call."""
    return [a_record("asked", start, process, **fields), a_record("answered", end, process, body="a", **fields)]


def a_flight(
    start: float, end: float, process: str = "p", *, body: str | None = "a", failure: str | None = None
) -> Log:
    """One call from *start* to *end*, and the records of who made it."""
    records = [
        a_record("asked", start - 0.02, process),
        a_record("calling", start - 0.01, process),
        a_record("called", end + 0.01, process, failure=failure),
        a_record("answered", end + 0.02, process, body=None if failure else body, failure=failure),
    ]
    return [Call(process=process, ids=frozenset([ID]), start=start, end=end)], records


def broken(flights: Sequence[Log], *disruptions: Disruption, records: Sequence[Record] = ()) -> list[str]:
    """The rules that were broken."""
    calls = [call for flight in flights for call in flight[0]]
    written = [record for flight in flights for record in flight[1]]
    return [violation.rule for violation in check(calls, [*written, *records], disruptions).violations]


def killed(process: str, at: float) -> Disruption:
    return Disruption(start=at, end=at, process=process, killed=True)


def stopped(process: str, start: float, end: float) -> Disruption:
    return Disruption(start=start, end=end, process=process)


def flushed(at: float) -> Disruption:
    return Disruption(start=at, end=at)


def test_one_call_and_one_answer_for_all_is_in_order() -> None:
    assert broken([a_flight(1, 2)], records=[*a_request(1, 3, "q"), *a_request(5, 6, "p", request=2)]) == []


def test_two_calls_at_once_are_an_overlap_and_one_call_too_many() -> None:
    assert broken([a_flight(1, 2, "p"), a_flight(1.5, 2.5, "q")]) == ["overlap", "repeated"]


def test_two_calls_one_after_the_other_are_one_too_many() -> None:
    assert broken([a_flight(1, 2, "p"), a_flight(3, 4, "q")]) == ["repeated"]


@pytest.mark.parametrize("start", [1.5, 5], ids=["while it is under way", "later"])
@pytest.mark.parametrize("disruption", [killed("p", 1.2), stopped("p", 1.2, 8), flushed(1.2)])
def test_a_call_after_the_lease_was_lost_is_excused(disruption: Disruption, start: float) -> None:
    assert broken([a_flight(1, 9, "p"), a_flight(start, start + 1, "q")], disruption) == []


def test_a_call_that_began_before_the_lease_was_lost_is_an_overlap() -> None:
    assert broken([a_flight(1, 2, "p"), a_flight(1.1, 2.1, "q")], stopped("p", 1.5, 4)) == ["overlap"]


def test_a_call_of_one_who_was_stopped_before_it_with_the_lease_in_hand_is_excused() -> None:
    assert broken([a_flight(5, 6, "p"), a_flight(4.5, 5.5, "q")], stopped("p", 1, 4.9)) == []


def test_what_was_done_to_others_excuses_nothing() -> None:
    others = [killed("r", 1.2), stopped("s", 1.2, 8)]

    assert broken([a_flight(1, 2, "p"), a_flight(1.5, 2.5, "q")], *others) == ["overlap", "repeated"]


@pytest.mark.parametrize("at", [1 - 0.02 - SLACK_SECONDS, 2 + 0.02 + SLACK_SECONDS], ids=["before", "after"])
def test_what_was_done_while_no_lease_was_held_excuses_nothing(at: float) -> None:
    assert broken([a_flight(1, 2, "p"), a_flight(4, 5, "q")], stopped("p", at, at)) == ["repeated"]


def test_one_lease_that_ran_out_excuses_one_call_only() -> None:
    flights = [a_flight(1, 2, "p"), a_flight(4, 5, "q"), a_flight(6, 7, "r")]

    assert broken(flights, killed("p", 1.5)) == ["repeated"]


def test_a_process_that_never_told_the_end_of_its_call_holds_it_until_its_death() -> None:
    calls, records = a_flight(1, 2, "p")

    assert broken([(calls, records[:2]), a_flight(8, 9, "q")], killed("p", 6)) == []


def test_a_call_after_one_that_failed_is_excused() -> None:
    assert broken([a_flight(1, 2, "p", failure="late"), a_flight(3, 4, "q")]) == []


def test_a_call_during_one_that_failed_later_is_an_overlap() -> None:
    assert broken([a_flight(1, 2, "p", failure="late"), a_flight(1.5, 2.5, "q")]) == ["overlap"]


def test_a_call_after_its_caller_gave_up_a_slow_one_is_excused() -> None:
    calls, records = a_flight(1, 2, "p", failure="late")
    slow = [Call(process="p", ids=calls[0].ids, start=1, end=5)]

    assert broken([(slow, records), a_flight(3, 4, "q")]) == []


def test_two_answers_are_one_too_many_whatever_was_done_to_processes() -> None:
    flights = [a_flight(1, 2, "p", body="a"), a_flight(4, 5, "q", body="b")]

    assert broken(flights, stopped("p", 1.5, 8)) == ["bodies"]


def test_a_loss_of_all_leases_and_results_excuses_one_more_call_and_one_more_answer() -> None:
    flights = [a_flight(1, 2, "p", body="a"), a_flight(4, 5, "q", body="b")]

    assert broken(flights, flushed(3)) == []
    assert broken([*flights, a_flight(6, 7, "r", body="c")], flushed(3)) == ["repeated", "bodies"]


def test_a_loss_while_there_was_no_answer_to_lose_excuses_one_more_call_but_no_answer() -> None:
    flights = [a_flight(1, 3, "p", body="a"), a_flight(2.5, 4, "q", body="b")]

    assert broken(flights, flushed(2)) == ["bodies"]


def test_a_loss_before_the_id_was_first_asked_for_excuses_nothing() -> None:
    flights = [a_flight(1, 2, "p", body="a"), a_flight(4, 5, "q", body="b")]

    assert broken(flights, flushed(0.5)) == ["repeated", "bodies"]


def test_an_answer_without_a_call_is_made_up() -> None:
    assert broken([], records=a_request(1, 2)) == ["made up"]


def test_an_answer_from_a_call_that_failed_is_made_up() -> None:
    calls, records = a_flight(1, 2)
    failed = Call(process="p", ids=calls[0].ids, start=1, end=2, is_failed=True)

    assert broken([([failed], records)]) == ["made up"]


def test_a_call_that_its_process_did_not_announce_is_made_up() -> None:
    calls, records = a_flight(1, 2)

    assert broken([(calls, [record for record in records if record.what != "calling"])]) == ["made up"]


def test_a_request_that_never_ended_hangs() -> None:
    assert broken([a_flight(1, 2)], records=[a_record("asked", 3, "q")]) == ["hanging"]


def test_a_request_of_a_process_that_was_killed_does_not_hang() -> None:
    assert broken([a_flight(1, 2)], killed("q", 4), records=[a_record("asked", 3, "q")]) == []


def test_a_process_that_was_only_stopped_has_no_excuse_to_hang() -> None:
    assert broken([a_flight(1, 2)], stopped("q", 4, 5), records=[a_record("asked", 3, "q")]) == ["hanging"]


@pytest.mark.parametrize(("at", "rules"), [(3.5, []), (4.5, ["repeated"])])
def test_one_who_keeps_no_records_is_excused_for_a_while_around_the_call(at: float, rules: list[str]) -> None:
    calls = [call for flight in (a_flight(1, 2, "w"), a_flight(6, 7, "q")) for call in flight[0]]
    findings = check(calls, a_flight(6, 7, "q")[1], [killed("w", at)], unseen_seconds=2)

    assert [violation.rule for violation in findings.violations] == rules


def test_it_counts_what_there_was_to_look_at() -> None:
    findings = check(*a_flight(1, 2), [killed("p", 1.5)])

    assert (findings.calls, findings.ids, findings.expired, findings.answers, findings.again) == (1, 1, 1, 1, 0)


def test_records_are_read_back_without_the_line_that_death_cut_short() -> None:
    record = a_record("answered", 1.5, body='{"a": 1}')

    assert list(read_records([f"{record.encode()}\n", record.encode()[:20]])) == [record]


def test_a_logged_call_names_its_process_and_all_its_ids() -> None:
    logged = {
        "user_agent": f"Outpatrol/0.1.0 ({contact_of('asker-1')}) httpx/0",
        "wiki": "enwiki",
        "models": ["damaging", "goodfaith"],
        "revisions": [1],
        "start_monotonic": 1.0,
        "end_monotonic": 2.0,
        "status": 503,
    }
    ids = frozenset([ID, "enwiki:goodfaith:1:0.5.1"])

    assert read_call(logged, "0.5.1") == Call(process="asker-1", ids=ids, start=1.0, end=2.0, is_failed=True)
