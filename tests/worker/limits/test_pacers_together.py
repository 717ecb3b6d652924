"""Pacers of several processes on the limits they share, in virtual time."""

import asyncio
import random
from collections.abc import Callable
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.worker.limits.crowd import most_in_a_window
from tests.worker.limits.pacing import Endpoint, Member, members, now, pacer_of, run
from worker.endpoints.limits import LEAD_SECONDS, Grant, Report
from worker.endpoints.pacer import Pacer, on_demand


def send(endpoint: Endpoint, everybody: list[Member], requests: int, patience: float = 1e6) -> list[Report | None]:
    """Each member sends so many requests; returns what they told."""

    async def work() -> list[Report | None]:
        served = await asyncio.gather(
            *(endpoint.serve_all(pacer_of(member, patience), requests) for member in everybody)
        )
        return [report for reports in served for report in reports]

    return run(work)


def all_served(workers: int, requests: int, rate: float, concurrency: int, latencies: list[float]) -> Endpoint:
    """The endpoint after each of *workers* has sent so many requests, of several wikis and models."""
    endpoint = Endpoint()
    everybody = members(workers, requests_per_second=rate, concurrency=concurrency)

    async def work() -> None:
        pacers = [pacer_of(member, patience=1e6) for member in everybody]
        await asyncio.gather(
            *(
                endpoint.serve(
                    pacers[number % workers],
                    seconds=latencies[number % len(latencies)],
                    wiki=f"wiki{number % 7}",
                    model=f"model{number % 2}",
                )
                for number in range(workers * requests)
            )
        )

    run(work)
    return endpoint


@settings(max_examples=examples(40), deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 40),
    st.floats(0.5, 200),
    st.integers(1, 20),
    st.lists(st.floats(0.001, 1.9), min_size=1, max_size=20),
)
def test_together_they_keep_to_rate_and_concurrency_and_every_request_is_sent(
    workers: int, requests: int, rate: float, concurrency: int, latencies: list[float]
) -> None:
    endpoint = all_served(workers, requests, rate, concurrency, latencies)

    assert len(endpoint.starts) == workers * requests
    assert endpoint.peak <= concurrency
    assert most_in_a_window(endpoint.starts, 1.0) <= ceil(rate)


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(2, 4), st.integers(1, 12), st.lists(st.floats(0.001, 0.5), min_size=1, max_size=20))
def test_requests_that_end_while_an_exchange_is_under_way_let_no_more_start_than_there_are_places(
    workers: int, concurrency: int, latencies: list[float]
) -> None:
    endpoint, everybody = Endpoint(), members(workers, requests_per_second=1e4, concurrency=concurrency)

    async def slowly(exchange: Callable[[], Grant | None]) -> Grant | None:
        await asyncio.sleep(0.02)
        grant = exchange()
        await asyncio.sleep(0.02)
        return grant

    async def one(pacers: list[Pacer], number: int) -> None:
        # Not all at once, so that places are given back, and asked for again.
        await asyncio.sleep(0.03 * (number // 10))
        await endpoint.serve(
            pacers[number % workers],
            latencies[number % len(latencies)],
            wiki=f"wiki{number % 3}",
            model=f"m{number % 2}",
        )

    async def work() -> None:
        pacers = [pacer_of(each, 1e6, slowly) for each in everybody]
        await asyncio.gather(*(one(pacers, number) for number in range(80)))

    run(work)
    assert len(endpoint.starts) == 80
    assert endpoint.peak <= concurrency


def test_four_hundred_requests_at_a_high_rate_cost_a_handful_of_exchanges() -> None:
    endpoint = Endpoint(seconds=0.05)
    (member,) = members(1, requests_per_second=1000, concurrency=200)
    send(endpoint, [member], 400)

    assert len(endpoint.starts) == 400
    assert member.exchanges <= 12


@pytest.mark.parametrize("rate", [10.0, 100.0])
def test_at_the_limit_of_the_rate_a_process_asks_a_few_times_a_second(rate: float) -> None:
    everybody = members(2, requests_per_second=rate)
    send(Endpoint(seconds=0.05), everybody, int(10 * rate))

    assert all(member.exchanges <= 12 * 20 for member in everybody)


@pytest.mark.parametrize(("concurrency", "processes"), [(16, 2), (32, 2), (3, 2), (1, 2), (8, 5)])
def test_four_hundred_requests_of_several_processes_take_little_longer_than_the_ideal(
    concurrency: int, processes: int
) -> None:
    endpoint = Endpoint(seconds=0.05)

    async def work() -> float:
        pacers = [pacer_of(each, 1e6) for each in members(processes, requests_per_second=1e5, concurrency=concurrency)]
        await asyncio.gather(*(endpoint.serve(pacers[number % processes]) for number in range(400)))
        return now()

    assert run(work) <= 1.5 * 400 * 0.05 / concurrency
    assert endpoint.peak <= concurrency


def test_processes_that_all_have_much_to_send_get_about_as_much() -> None:
    endpoint = Endpoint(seconds=1.0)
    everybody = members(4, requests_per_second=1000, concurrency=8)
    ended: list[list[float]] = [[] for _ in everybody]

    async def work() -> None:
        async def one(pacer_number: int) -> None:
            await endpoint.serve(pacers[pacer_number])
            ended[pacer_number].append(now())

        pacers = [pacer_of(member) for member in everybody]
        await asyncio.gather(*(one(number) for number in range(4) for _ in range(40)))

    run(work)
    first_half = sorted(moment for moments in ended for moment in moments)[79]
    assert min(sum(moment <= first_half for moment in moments) for moments in ended) >= 10


@pytest.mark.parametrize("ahead", [0.0, 0.3])
@pytest.mark.parametrize("rate", [10_000.0, 300.0])
def test_two_processes_share_evenly_whoever_came_first(ahead: float, rate: float) -> None:
    """As much waits as an endpoint of 64 places and 50 ms serves in some two seconds, or at that rate in eight."""
    endpoint = Endpoint(seconds=0.05)
    first, second = members(2, requests_per_second=rate, concurrency=64)
    ended: dict[str, list[float]] = {first.name: [], second.name: []}

    async def work() -> None:
        async def one(member: Member, pacer: Pacer) -> None:
            await endpoint.serve(pacer)
            ended[member.name].append(now())

        async def many(member: Member, later: float) -> None:
            await asyncio.sleep(later)
            pacer = pacer_of(member)
            await asyncio.gather(*(one(member, pacer) for _ in range(1200)))

        await asyncio.gather(many(first, 0.0), many(second, ahead))

    run(work)
    assert [len(moments) for moments in ended.values()] == [1200, 1200]
    assert endpoint.peak <= 64
    # Once both were there for a while, and before either was through.
    begin, end = ahead + 0.5, min(moments[-1] for moments in ended.values())
    shares = sorted(sum(begin <= moment < end for moment in moments) for moments in ended.values())
    assert shares[0] >= 0.8 * shares[1] > 0


def test_an_endpoint_that_takes_fewer_than_allowed_is_asked_for_little_more_than_it_takes() -> None:
    """It refuses what comes before its next token, twenty of which it gets a second."""
    tokens, counted = 4.0, 0.0

    def bucket(_: int) -> Report:
        nonlocal tokens, counted
        tokens, counted = min(4.0, tokens + 20.0 * (now() - counted)), now()
        if tokens < 1.0:
            return Report(throttled=1)
        tokens -= 1.0
        return Report(served=1)

    endpoint = Endpoint(bucket, seconds=0.02)
    reports = send(endpoint, members(3, requests_per_second=100, concurrency=32), 300)

    throttled = sum(report is not None and report.throttled for report in reports)
    assert len(endpoint.starts) == 900
    assert 0 < throttled <= 0.2 * len(endpoint.starts)


def started_after(work_behind: int, wiki: str, *, rate: float = 10.0, awaited: bool = False) -> float:
    """When *wiki*'s single request starts, which comes after a second behind so many of another wiki."""
    endpoint = Endpoint(seconds=0.05)
    (member,) = members(1, requests_per_second=rate)

    async def work() -> float:
        pacer = pacer_of(member, patience=1e6)
        behind = [asyncio.create_task(endpoint.serve(pacer, wiki="large")) for _ in range(work_behind)]
        await asyncio.sleep(1.0)
        began = now()
        if awaited:
            with on_demand():
                await endpoint.serve(pacer, wiki=wiki)
        else:
            await endpoint.serve(pacer, wiki=wiki)
        for task in behind:
            task.cancel()
        return now() - 0.05 - began

    return run(work)


def test_a_single_edit_waits_no_longer_than_twice_its_fair_share_behind_thousands_of_another_wiki() -> None:
    assert started_after(3_000, "small") <= 2 * 2 / 10.0


def test_a_score_on_demand_does_not_wait_for_the_edits_of_its_own_wiki() -> None:
    assert started_after(3_000, "large", awaited=True) <= 2 * 2 / 10.0


def test_wikis_that_wait_get_about_as_many_starts_each_however_much_is_behind_each() -> None:
    endpoint = Endpoint(seconds=0.05)
    (member,) = members(1, requests_per_second=50)

    async def work() -> None:
        pacer = pacer_of(member, patience=1e6)
        for wiki, count in (("a", 1000), ("b", 100), ("c", 40)):
            tasks.extend(asyncio.create_task(endpoint.serve(pacer, wiki=wiki)) for _ in range(count))
        await asyncio.sleep(2.4)
        for task in tasks:
            task.cancel()

    tasks: list[asyncio.Task[Report | None]] = []
    run(work)
    counts = [endpoint.wikis.count(wiki) for wiki in "abc"]
    assert max(counts) - min(counts) <= 1 < min(counts)


@pytest.mark.parametrize("was_first", [False, True])
def test_a_wiki_whose_requests_hang_leaves_places_for_the_others(*, was_first: bool) -> None:
    endpoint = Endpoint(seconds=0.05)
    (member,) = members(1, requests_per_second=1000, concurrency=16)

    async def work() -> float:
        pacer = pacer_of(member, patience=1e6, wikis=["healthy", "hung"])
        if not was_first:
            await endpoint.serve(pacer, wiki="healthy")
        hung = [
            asyncio.create_task(endpoint.serve(pacer, seconds=1e6, wiki="hung", model=f"m{number % 2}"))
            for number in range(1000)
        ]
        await asyncio.sleep(1.0)
        began = now()
        for _ in range(20):
            await endpoint.serve(pacer, wiki="healthy")
        for task in hung:
            task.cancel()
        return (now() - began) / 20

    assert run(work) <= 0.05 + 0.1
    assert endpoint.peak <= 16


def test_few_requests_that_hang_leave_the_places_that_nobody_asked_for_to_others() -> None:
    endpoint = Endpoint(seconds=0.05)
    (member,) = members(1, requests_per_second=1000, concurrency=50)

    async def work() -> float:
        pacer = pacer_of(member, patience=1e6, wikis=["healthy", "hung"])
        await endpoint.serve(pacer, wiki="healthy", model="another")
        hung = [asyncio.create_task(endpoint.serve(pacer, seconds=1e6, wiki="hung")) for _ in range(8)]
        await asyncio.sleep(5.0)
        began = now()
        await endpoint.serve(pacer, wiki="healthy")
        for task in hung:
            task.cancel()
        return now() - began

    assert run(work) <= 0.05 + 0.1


def test_the_only_wiki_of_an_endpoint_may_have_all_its_places() -> None:
    endpoint = Endpoint()
    (member,) = members(1, requests_per_second=1000, concurrency=16)

    async def work() -> None:
        pacer = pacer_of(member, patience=1e6, wikis=["enwiki"])
        await asyncio.gather(*(endpoint.serve(pacer, seconds=10, wiki="enwiki") for _ in range(40)))

    run(work)
    assert endpoint.peak == 16


def test_where_requests_hang_few_exchanges_are_made() -> None:
    endpoint = Endpoint()
    (member,) = members(1, requests_per_second=1000, concurrency=16)

    async def work() -> None:
        pacer = pacer_of(member, patience=1e6)
        hung = [asyncio.create_task(endpoint.serve(pacer, seconds=1e6)) for _ in range(1000)]
        await asyncio.sleep(20.0)
        for task in hung:
            task.cancel()

    run(work)
    assert member.exchanges <= 120


def test_a_start_that_is_due_in_less_than_a_clock_tells_is_not_waited_for() -> None:
    endpoint = all_served(6, 23, 166.98135789571592, 6, [0.057941126815249426, 1.602415062450626])

    assert len(endpoint.starts) == 6 * 23


def waits_beside_a_backlog(rate: float, singles: list[tuple[bool, float]], backlogs: int) -> list[float]:
    """Seconds for which single requests of one wiki wait, beside the backlog of another in so many of two processes.

    Each comes to the first of them or not, after so many of the times in which a wiki may send one.
    """
    endpoint = Endpoint(seconds=0.02)
    waited = []

    async def work() -> None:
        pacers = [pacer_of(member, 1e6) for member in members(2, requests_per_second=rate)]
        behind = [
            asyncio.create_task(endpoint.serve(pacer, wiki="busywiki"))
            for pacer in pacers[:backlogs]
            for _ in range(20 + 20 * len(singles))
        ]
        # Until each has had a turn, the backlog has waited for longer.
        await asyncio.sleep(8 / rate)
        for is_first, shares in singles:
            await asyncio.sleep(shares * 2 / rate)
            began = now()
            await endpoint.serve(pacers[not is_first], wiki="calmwiki")
            waited.append(now() - endpoint.seconds - began)
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)

    run(work)
    return waited


@settings(max_examples=examples(40), deadline=None)
@given(
    st.floats(4, 40),
    st.lists(st.tuples(st.booleans(), st.floats(1, 3)), min_size=1, max_size=8),
    st.integers(0, 2),
)
def test_a_single_request_beside_a_backlog_never_waits_long(
    rate: float, singles: list[tuple[bool, float]], backlogs: int
) -> None:
    """Twice its fair share of two wikis, after what was sold ahead to a process that was alone, and its places."""
    assert max(waits_beside_a_backlog(rate, singles, backlogs)) <= 4 / rate + 2 * LEAD_SECONDS


def test_single_requests_beside_a_backlog_wait_for_no_more_than_twice_their_fair_share() -> None:
    rate, chance = 10.0, random.Random(0)
    singles = [(chance.random() < 0.5, chance.uniform(1, 3)) for _ in range(100)]

    waited = sorted(waits_beside_a_backlog(rate, singles, 2))

    assert waited[94] <= 4 / rate
