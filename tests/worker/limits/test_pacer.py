"""When a pacer lets requests start, and what it tells the limits about them."""

import asyncio
from collections.abc import Callable

import pytest

from tests.worker.limits.pacing import (
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
from worker.endpoints.limits import LATE_SECONDS, Grant, Report
from worker.endpoints.pacer import AHEAD_SECONDS, FRESH_SECONDS, SILENT_SECONDS, Pacer


def test_requests_start_when_and_as_far_apart_as_granted() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(starts=5, delay=0.1, interval=0.03, places=5))
    run(lambda: endpoint.serve_all(pacer_of(limits), 5))

    assert endpoint.starts == pytest.approx([0.1, 0.13, 0.16, 0.19, 0.22])


def test_a_delay_that_has_passed_is_none() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(starts=3, delay=-0.05, interval=0.04, places=5))
    run(lambda: endpoint.serve_all(pacer_of(limits), 3))

    assert endpoint.starts == pytest.approx([0.0, 0.0, 0.03])


def test_no_more_requests_are_under_way_than_there_are_places() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(starts=10, places=3))
    run(lambda: endpoint.serve_all(pacer_of(limits), 20))

    assert (endpoint.peak, len(endpoint.starts)) == (3, 20)


def test_the_next_request_starts_at_the_moment_when_one_ends() -> None:
    async def work() -> None:
        pacer = pacer_of(Scripted(lambda _: a_grant(starts=2, places=1)))
        await pacer.start("enwiki")
        waiting = [asyncio.create_task(pacer.start("enwiki")) for _ in range(2)]
        await asyncio.sleep(0.01)
        pacer.end("enwiki", (), Report(served=1))
        # One round of the loop: nobody else had to wake first.
        await asyncio.sleep(0)
        assert [each.done() for each in waiting] == [True, False]
        waiting[1].cancel()

    run(work)


def test_a_start_that_would_be_late_is_asked_for_anew() -> None:
    endpoint, limits = Endpoint(seconds=1.0), Scripted(lambda _: a_grant(starts=3, interval=0.01, places=1))
    run(lambda: endpoint.serve_all(pacer_of(limits), 3))

    asked = [exchange.at for exchange in limits.exchanges]
    assert all(any(at <= start <= at + 0.02 + LATE_SECONDS for at in asked) for start in endpoint.starts)


def test_what_the_loop_slept_through_is_void() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(starts=20, interval=0.01, places=20))

    async def work() -> None:
        pacer = pacer_of(limits)
        serving = asyncio.create_task(endpoint.serve_all(pacer, 20))
        await asyncio.sleep(0.005)
        block(0.15)
        await serving

    run(work)
    assert sum(start == pytest.approx(0.155) for start in endpoint.starts) <= 1 + round(LATE_SECONDS / 0.01)


def test_a_waiter_that_is_cancelled_leaves_its_start_to_the_next() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: a_grant(starts=2, delay=0.1, interval=0.1, places=3))

    async def work() -> None:
        pacer = pacer_of(limits)
        tasks = [asyncio.create_task(endpoint.serve(pacer)) for _ in range(3)]
        await asyncio.sleep(0.15)
        tasks[1].cancel()
        await asyncio.wait(tasks)

    run(work)
    assert endpoint.starts == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("steps", range(10))
@pytest.mark.parametrize("is_refused", [False, True])
def test_whenever_a_waiter_is_cancelled_the_only_place_is_free_for_the_next(steps: int, *, is_refused: bool) -> None:
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
            pacer.end("enwiki", ["damaging"], Report())
        for _ in range(2):
            await asyncio.sleep(2.0)
            await endpoint.serve_all(pacer, 3)
        await asyncio.sleep(1.0)

    run(work)
    assert len(endpoint.starts) >= 3
    assert limits.exchanges[-1].in_flight == 0
    assert min(exchange.in_flight for exchange in limits.exchanges) == 0


def test_when_all_waiters_are_cancelled_the_places_are_given_back() -> None:
    limits = Scripted(lambda each: a_grant(starts=each.want, delay=0.1, interval=0.1, places=each.waiting))

    async def work() -> None:
        pacer = pacer_of(limits)
        tasks = [asyncio.create_task(pacer.start("enwiki")) for _ in range(3)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(1)

    run(work)
    last = limits.exchanges[-1]
    assert (last.in_flight, last.waiting, last.want) == (0, 0, 0)


def test_those_who_were_cancelled_are_not_counted_among_those_who_want_to_start() -> None:
    limits = Scripted(lambda _: a_grant(starts=0, places=0))

    async def work() -> None:
        pacer = pacer_of(limits)
        tasks = [asyncio.create_task(pacer.start("enwiki")) for _ in range(10)]
        await asyncio.sleep(0.05)
        for task in tasks[2:]:
            task.cancel()
        await asyncio.sleep(0.2)

    run(work)
    assert {exchange.waiting for exchange in limits.exchanges if exchange.at > 0.1} == {2}


def test_a_request_whose_turn_does_not_come_is_given_up_as_throttled() -> None:
    limits = Scripted(lambda _: a_grant(starts=0, places=0))

    async def work() -> float:
        with pytest.raises(EndpointUnavailable) as caught:
            await pacer_of(limits, patience=3.0).start("enwiki")
        assert (caught.value.failure, caught.value.retry_after) == (Failure.THROTTLED, None)
        return now()

    assert run(work) == pytest.approx(3.0)


def test_in_a_pause_all_who_wait_are_told_when_to_come_back() -> None:
    limits = Scripted(lambda _: a_grant(starts=0, places=0, pause=7.5))

    async def work() -> list[BaseException | None]:
        pacer = pacer_of(limits)
        return await asyncio.gather(*(pacer.start("enwiki") for _ in range(20)), return_exceptions=True)

    errors = [error for error in run(work) if isinstance(error, EndpointUnavailable)]
    assert [(error.failure, error.retry_after) for error in errors] == [(Failure.THROTTLED, 7.5)] * 20
    assert len(limits.exchanges) == 1


def test_when_the_last_request_has_ended_the_places_are_given_back_and_all_is_told() -> None:
    endpoint, limits = Endpoint(), Scripted(all_that_is_wanted)

    async def work() -> None:
        await endpoint.serve_all(pacer_of(limits), 10)
        await asyncio.sleep(0.1)

    run(work)
    last = limits.exchanges[-1]
    assert (last.in_flight, last.waiting) == (0, 0)
    assert sum(exchange.report.served for exchange in limits.exchanges) == 10


@pytest.mark.parametrize("pause", [0.0, 3.0])
def test_that_it_is_too_much_is_told_before_anything_else_is_sent(pause: float) -> None:
    endpoint = Endpoint(lambda number: Report(throttled=1, pause=pause) if number == 1 else Report(served=1), 0.0)
    sent_before: list[int] = []

    def answer(exchange: Exchange) -> Grant:
        if exchange.report.throttled:
            sent_before.append(len(endpoint.starts))
        return a_grant(starts=10, interval=0.1, places=10)

    run(lambda: endpoint.serve_all(pacer_of(Scripted(answer)), 10))

    assert sent_before == [1]
    assert (len(endpoint.starts) == 1) is bool(pause)


@pytest.mark.parametrize("bad", [Report(throttled=1), Report(outage="status 500"), Report(refusal="status 403")])
def test_what_others_must_hear_is_told_at_once_though_requests_are_under_way_and_nobody_waits(bad: Report) -> None:
    endpoint = Endpoint(lambda number: bad if number == 1 else Report(served=1))
    limits = Scripted(all_that_is_wanted)

    async def work() -> None:
        pacer = pacer_of(limits)
        await asyncio.gather(endpoint.serve(pacer, seconds=0.5), endpoint.serve(pacer, seconds=20.0))

    run(work)
    assert [exchange.at for exchange in limits.exchanges if exchange.report.matters] == pytest.approx([0.5])


def test_limits_that_break_leave_nobody_waiting_and_the_next_request_asks_again() -> None:
    def breaking_at_first(exchange: Exchange) -> Grant:
        if len(limits.exchanges) == 1:
            raise ZeroDivisionError
        return all_that_is_wanted(exchange)

    endpoint, limits = Endpoint(), Scripted(breaking_at_first)

    async def work() -> list[BaseException | None]:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        pacer = pacer_of(limits)
        errors = await asyncio.gather(*(pacer.start("enwiki") for _ in range(5)), return_exceptions=True)
        await endpoint.serve(pacer)
        return errors

    assert {type(error) for error in run(work)} == {ZeroDivisionError}
    assert len(endpoint.starts) == 1


def test_where_the_others_can_not_be_asked_requests_start_as_we_may_alone() -> None:
    endpoint, limits = Endpoint(), Scripted(lambda _: None)
    run(lambda: endpoint.serve_all(pacer_of(limits), 10))

    assert endpoint.starts == [0.0] * 10
    assert limits.alone_exchanges


def test_a_redis_that_says_nothing_holds_up_the_first_start_for_a_moment_and_no_other() -> None:
    async def silent(exchange: Callable[[], Grant | None]) -> Grant | None:
        await asyncio.sleep(1e6)
        return None

    endpoint = Endpoint()

    async def work() -> None:
        pacer = pacer_of(Scripted(all_that_is_wanted), in_thread=silent)
        for _ in range(3):
            await endpoint.serve_all(pacer, 3)
            await asyncio.sleep(FRESH_SECONDS)

    run(work)
    held_up = [start - begin for start, begin in zip(endpoint.starts[::3], (0.0, 1.35, 2.45), strict=True)]
    assert held_up == pytest.approx([SILENT_SECONDS, 0.0, 0.0])


def test_once_redis_speaks_again_the_others_are_asked_again() -> None:
    limits = Scripted(lambda each: all_that_is_wanted(each) if each.at > 2.0 else None)
    endpoint = Endpoint()

    async def work() -> None:
        pacer = pacer_of(limits)
        await endpoint.serve_all(pacer, 3)
        await asyncio.sleep(2.0)
        await endpoint.serve_all(pacer, 3)
        await asyncio.sleep(0.5)

    run(work)
    assert max(each.at for each in limits.alone_exchanges) < 2.0


async def _known(grant: Grant) -> Pacer:
    """A pacer that was granted that once."""
    pacer = pacer_of(Scripted(lambda _: grant))
    asking = asyncio.create_task(pacer.start("enwiki"))
    await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.sleep(0.01)
    return pacer


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (a_grant(pause=0.1), 0),
        (a_grant(starts=0, rate=100.0, members=4), int(25 * AHEAD_SECONDS)),
        (a_grant(starts=0, rate=0.1, members=4), 1),
    ],
)
def test_as_many_requests_are_prepared_as_can_be_sent_soon(grant: Grant, allowed: int) -> None:
    async def work() -> int:
        return (await _known(grant)).allowance("itwiki")

    assert run(work) == allowed


def test_nothing_is_prepared_while_others_may_hold_all_places() -> None:
    limits = Scripted(all_that_is_wanted, is_held_by_others=True)

    assert Pacer("http://endpoint", limits, patience=1).allowance("itwiki") == 0


def test_a_wiki_of_which_much_waits_prepares_little_and_others_their_part() -> None:
    async def work() -> tuple[int, int]:
        pacer = await _known(a_grant(starts=0, places=0, rate=100.0))
        waiting = [asyncio.create_task(pacer.start("enwiki")) for _ in range(600)]
        await asyncio.sleep(0.01)
        allowed = pacer.allowance("enwiki"), pacer.allowance("itwiki")
        for task in waiting:
            task.cancel()
        return allowed

    assert run(work) == (int(100 * AHEAD_SECONDS) // 8, int(100 * AHEAD_SECONDS) // 2)
