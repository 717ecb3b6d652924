"""When a pacer lets requests start, and what it tells the limits about them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.worker.limits.pacing import (
    ENDPOINT,
    Endpoint,
    Exchange,
    Scripted,
    a_grant,
    all_that_is_wanted,
    block,
    now,
    pacer_of,
    run,
)
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.endpoints.limits import LATE_SECONDS, OUTAGES_TO_OPEN, Grant, Report
from worker.endpoints.pacer import AHEAD_SECONDS, FRESH_SECONDS


def test_requests_start_when_and_as_far_apart_as_granted() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(requests=5, delay=0.1, interval=0.03, slots=5))
    run(lambda: endpoint.serve_all(pacer_of(limits), 5))

    assert endpoint.starts == pytest.approx([0.1, 0.13, 0.16, 0.19, 0.22])


def test_a_delay_that_has_passed_is_none() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(requests=3, delay=-0.05, interval=0.04, slots=3))
    run(lambda: endpoint.serve_all(pacer_of(limits), 3))

    assert endpoint.starts == pytest.approx([0.0, 0.0, 0.03])


def test_no_more_requests_are_under_way_than_there_are_slots() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(requests=10, slots=3))
    run(lambda: endpoint.serve_all(pacer_of(limits), 20))

    assert (endpoint.peak, len(endpoint.starts)) == (3, 20)


def test_a_start_that_would_be_late_is_asked_for_anew() -> None:
    endpoint, limits = Endpoint(seconds=1.0), Scripted(lambda _: a_grant(requests=3, interval=0.01, slots=1))
    run(lambda: endpoint.serve_all(pacer_of(limits), 3))

    asked = [exchange.at for exchange in limits.exchanges]
    assert all(any(at <= start <= at + LATE_SECONDS for at in asked) for start in endpoint.starts)


def test_what_was_granted_is_void_where_the_answer_took_too_long() -> None:
    def slow_at_first(exchange: Exchange) -> Grant:
        if len(limits.exchanges) == 1:
            block(2 * LATE_SECONDS)
        return a_grant(requests=5, slots=5)

    endpoint, limits = Endpoint(), Scripted(slow_at_first)
    run(lambda: endpoint.serve_all(pacer_of(limits), 1))

    assert len(limits.exchanges) == 3
    assert endpoint.starts == [limits.exchanges[1].at]


def test_a_waiter_that_is_cancelled_leaves_its_start_to_the_next() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(requests=2, delay=0.1, interval=0.1, slots=2))

    async def work() -> None:
        pacer = pacer_of(limits)
        tasks = [asyncio.create_task(endpoint.serve(pacer)) for _ in range(3)]
        await asyncio.sleep(0.15)
        tasks[1].cancel()
        await asyncio.wait(tasks)

    run(work)
    assert endpoint.starts == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("is_refused", [False, True])
def test_whenever_a_waiter_is_cancelled_the_only_slot_is_free_for_the_next(steps: int, *, is_refused: bool) -> None:
    """At one of these steps the waiter has just been let start, or refused, and does not know yet."""
    limits = Scripted(lambda _: a_grant(pause=1.0 if is_refused and len(limits.exchanges) == 1 else 0.0))
    endpoint = Endpoint()

    async def work() -> None:
        pacer = pacer_of(limits)
        first = asyncio.create_task(endpoint.serve(pacer, seconds=0.0))
        for _ in range(steps):
            await asyncio.sleep(0)
        first.cancel()
        # What was under way when its task was cancelled is the client's to end.
        started = len(endpoint.starts)
        await asyncio.wait([first])
        if started and first.cancelled():
            pacer.end(None, 0.0, None)
        await endpoint.serve_all(pacer, 3)

    run(work)
    assert limits.exchanges[-1].in_flight == 0
    assert min(exchange.in_flight for exchange in limits.exchanges) == 0


def test_when_all_waiters_are_cancelled_the_slots_are_given_back() -> None:
    limits = Scripted(lambda _: a_grant(requests=2, delay=0.1, interval=0.1, slots=2))

    async def work() -> None:
        pacer = pacer_of(limits)
        tasks = [asyncio.create_task(pacer.start()) for _ in range(3)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(1)

    run(work)
    assert (limits.exchanges[-1].in_flight, limits.exchanges[-1].want) == (0, 0)


def test_those_who_were_cancelled_are_not_counted_among_those_who_want_to_start() -> None:
    limits = Scripted(lambda _: a_grant(requests=0, slots=0))

    async def work() -> None:
        pacer = pacer_of(limits)
        tasks = [asyncio.create_task(pacer.start()) for _ in range(10)]
        await asyncio.sleep(0.05)
        for task in tasks[2:]:
            task.cancel()
        await asyncio.sleep(0.2)

    run(work)
    assert limits.exchanges[-1].want == 2


def test_a_request_whose_turn_does_not_come_is_given_up_as_throttled() -> None:
    limits = Scripted(lambda _: a_grant(requests=0, slots=0))

    async def work() -> float:
        with pytest.raises(EndpointUnavailable) as caught:
            await pacer_of(limits, patience=3.0).start()
        assert (caught.value.failure, caught.value.retry_after) == (Failure.THROTTLED, None)
        return now()

    assert 3.0 <= run(work) < 3.1


def test_in_a_pause_all_who_wait_are_told_when_to_come_back() -> None:
    limits = Scripted(lambda _: a_grant(requests=0, slots=0, pause=7.5))

    async def work() -> list[BaseException | None]:
        pacer = pacer_of(limits)
        return await asyncio.gather(*(pacer.start() for _ in range(20)), return_exceptions=True)

    errors = [error for error in run(work) if isinstance(error, EndpointUnavailable)]
    assert [(error.failure, error.retry_after) for error in errors] == [(Failure.THROTTLED, 7.5)] * 20
    assert len(limits.exchanges) == 1


@pytest.mark.parametrize(
    ("failure", "retry_after", "told"),
    [
        (None, None, Report(served=1, seconds=0.5)),
        (Failure.TRANSIENT, None, Report(served=1, seconds=0.5)),
        (Failure.OUTAGE, None, Report(outages=1)),
        (Failure.LATE, None, Report(outages=1)),
        (Failure.LATE, 3.0, Report(outages=1, pause=3.0)),
        (Failure.THROTTLED, None, Report(throttled=1)),
        (Failure.THROTTLED, 3.0, Report(throttled=1, pause=3.0)),
    ],
)
def test_how_a_request_ended_is_told_by_kind(failure: Failure | None, retry_after: float | None, told: Report) -> None:
    endpoint = Endpoint(lambda _: failure, seconds=0.5, retry_after=retry_after)
    limits = Scripted(all_that_is_wanted)
    run(lambda: endpoint.serve(pacer_of(limits)))

    assert [exchange.report for exchange in limits.exchanges] == [Report(), told]


def test_when_the_last_request_has_ended_the_slots_are_given_back() -> None:
    endpoint, limits = Endpoint(), Scripted(all_that_is_wanted)
    run(lambda: endpoint.serve_all(pacer_of(limits), 10))

    last = limits.exchanges[-1]
    assert (last.in_flight, last.want) == (0, 0)
    assert sum(exchange.report.served for exchange in limits.exchanges) == 10


@pytest.mark.parametrize(("failure", "bad"), [(Failure.THROTTLED, 1), (Failure.OUTAGE, OUTAGES_TO_OPEN)])
def test_bad_news_is_told_before_anything_else_is_sent(failure: Failure, bad: int) -> None:
    endpoint = Endpoint(lambda number: failure if number <= bad else None, seconds=0.0)
    limits = Scripted(lambda _: a_grant(requests=10, interval=0.1, slots=10))
    run(lambda: endpoint.serve_all(pacer_of(limits), 10))

    told_at = next(each.at for each in limits.exchanges if each.report.throttled or each.report.outages)
    assert sum(start < told_at for start in endpoint.starts) == bad


def test_a_refusal_is_told_at_once_though_others_are_under_way_and_nobody_waits() -> None:
    endpoint = Endpoint(lambda number: Failure.THROTTLED if number == 1 else None)
    limits = Scripted(all_that_is_wanted)

    async def work() -> None:
        pacer = pacer_of(limits)
        await asyncio.gather(endpoint.serve(pacer, seconds=0.5), endpoint.serve(pacer, seconds=20.0))

    run(work)
    assert [exchange.at for exchange in limits.exchanges if exchange.report.throttled] == [0.5]


def test_limits_that_break_leave_nobody_waiting_and_the_next_request_asks_again() -> None:
    def breaking_at_first(exchange: Exchange) -> Grant:
        if len(limits.exchanges) == 1:
            raise ZeroDivisionError
        return all_that_is_wanted(exchange)

    endpoint, limits = Endpoint(), Scripted(breaking_at_first)

    async def work() -> list[BaseException | None]:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        pacer = pacer_of(limits)
        errors = await asyncio.gather(*(pacer.start() for _ in range(5)), return_exceptions=True)
        await endpoint.serve(pacer)
        return errors

    assert {type(error) for error in run(work)} == {ZeroDivisionError}
    assert len(endpoint.starts) == 1


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (a_grant(pause=0.1), 0),
        (a_grant(is_half_open=True), 1),
        (a_grant(rate=100.0, members=4), int(25 * AHEAD_SECONDS)),
        (a_grant(rate=0.1, members=4), 1),
    ],
)
def test_as_many_requests_are_prepared_as_can_be_sent_soon(grant: Grant, allowed: int) -> None:
    async def work() -> int:
        return pacer_of(Scripted(lambda _: grant)).allowance()

    assert run(work) == allowed


def test_how_much_to_prepare_is_asked_anew_only_where_the_last_answer_is_old() -> None:
    limits = Scripted(lambda _: a_grant())

    async def work() -> None:
        pacer = pacer_of(limits)
        for _ in range(10):
            pacer.allowance()
        await asyncio.sleep(FRESH_SECONDS + 0.01)
        pacer.allowance()

    run(work)
    assert [(exchange.want, exchange.at) for exchange in limits.exchanges] == [(0, 0.0), (0, FRESH_SECONDS + 0.01)]


def test_the_turns_of_the_circuit_are_logged_with_the_endpoint() -> None:
    turns = iter([a_grant(turn="opened"), a_grant(), a_grant(turn="closed")])
    limits = Scripted(lambda _: next(turns))

    async def work() -> None:
        pacer = pacer_of(limits)
        for _ in range(3):
            pacer.allowance()
            await asyncio.sleep(1)

    with capture_logs() as lines:
        run(work)
    assert [(line["event"], line["endpoint"]) for line in lines] == [
        ("circuit_opened", ENDPOINT),
        ("circuit_closed", ENDPOINT),
    ]


@pytest.mark.parametrize(("is_half_open", "outages"), [(False, 0), (True, 1)])
def test_what_tells_little_of_the_endpoint_counts_as_a_probe_only(outages: int, *, is_half_open: bool) -> None:
    limits = Scripted(lambda _: a_grant(is_half_open=is_half_open))

    async def work() -> None:
        pacer = pacer_of(limits)
        await pacer.start()
        pacer.end_untold("status 404")

    run(work)
    told = limits.exchanges[-1]
    assert (told.report.outages, told.report.served, told.in_flight) == (outages, 0, 0)
