"""Pacers of several workers on the limits they share, in virtual time: rate, concurrency, circuit, and their cost."""

import asyncio
from collections.abc import Callable
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.worker.limits.crowd import most_in_a_window
from tests.worker.limits.pacing import Endpoint, Member, members, now, pacer_of, run
from worker.domain.failures import Failure
from worker.endpoints.limits import OUTAGES_TO_OPEN
from worker.endpoints.pacer import Pacer


def send(
    endpoint: Endpoint, everybody: list[Member], requests: int, patience: float = 1e6
) -> list[list[Failure | None]]:
    """Each member sends so many requests; returns how they failed, for each member."""

    async def work() -> list[list[Failure | None]]:
        return await asyncio.gather(*(endpoint.serve_all(pacer_of(member, patience), requests) for member in everybody))

    return run(work)


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
    endpoint = Endpoint()
    everybody = members(workers, requests_per_second=rate, concurrency=concurrency)

    async def work() -> None:
        pacers = [pacer_of(member, patience=1e6) for member in everybody]
        await asyncio.gather(
            *(
                endpoint.serve(pacers[number % workers], seconds=latencies[number % len(latencies)])
                for number in range(workers * requests)
            )
        )

    run(work)
    assert len(endpoint.starts) == workers * requests
    assert endpoint.peak <= concurrency
    assert most_in_a_window(endpoint.starts, 1.0) <= ceil(rate)


def test_four_hundred_requests_at_a_high_rate_cost_a_handful_of_exchanges() -> None:
    endpoint = Endpoint(seconds=0.05)
    (member,) = members(1, requests_per_second=1000, concurrency=200)
    send(endpoint, [member], 400)

    assert len(endpoint.starts) == 400
    assert member.exchanges <= 12


def test_workers_that_all_have_much_to_send_get_about_as_much() -> None:
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
def test_two_workers_of_an_endpoint_with_many_slots_share_them_evenly_whoever_came_first(ahead: float) -> None:
    """As much waits as an endpoint of 64 slots and 50 ms serves in some two seconds."""
    endpoint = Endpoint(seconds=0.05)
    first, second = members(2, requests_per_second=10_000, concurrency=64)
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


def outage(until: float = float("inf")) -> Callable[[int], Failure | None]:
    """The endpoint serves nobody until that time."""
    return lambda _: Failure.OUTAGE if now() < until else None


def test_in_an_outage_only_few_requests_are_sent_before_all_are_refused() -> None:
    endpoint = Endpoint(outage(), seconds=0.01)
    failures = send(endpoint, members(3, requests_per_second=100, concurrency=4), 100)

    assert len(endpoint.starts) <= OUTAGES_TO_OPEN + 2 * 4
    assert {failure for each in failures for failure in each} == {Failure.OUTAGE, Failure.THROTTLED}


def test_requests_that_come_again_and_again_in_a_long_outage_are_probes_further_and_further_apart() -> None:
    endpoint = Endpoint(outage(until=120.0), seconds=0.01)
    everybody = members(3, requests_per_second=100, concurrency=4)

    async def work() -> list[Failure | None]:
        async def insistent(member: Member) -> Failure | None:
            pacer = pacer_of(member)
            while now() < 240.0:
                await endpoint.serve_all(pacer, 10)
                await asyncio.sleep(0.5)
            return await endpoint.serve(pacer)

        return await asyncio.gather(*(insistent(member) for member in everybody))

    assert run(work) == [None] * 3
    probes = [start for start in endpoint.starts if start < 120.0][OUTAGES_TO_OPEN + 8 :]
    assert len(probes) <= 7


def test_an_endpoint_that_takes_fewer_than_allowed_is_asked_for_little_more_than_it_takes() -> None:
    """It refuses what comes before its next token, twenty of which it gets a second."""
    tokens, counted = 4.0, 0.0

    def bucket(_: int) -> Failure | None:
        nonlocal tokens, counted
        tokens, counted = min(4.0, tokens + 20.0 * (now() - counted)), now()
        if tokens < 1.0:
            return Failure.THROTTLED
        tokens -= 1.0
        return None

    endpoint = Endpoint(bucket, seconds=0.02)
    failures = send(endpoint, members(3, requests_per_second=100, concurrency=32), 300)

    refused = sum(failure is Failure.THROTTLED for each in failures for failure in each)
    assert len(endpoint.starts) == 900
    assert 0 < refused <= 0.2 * len(endpoint.starts)
