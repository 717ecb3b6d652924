"""Processor time a request costs: our client, plain httpx and raw aiohttp, in one run."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

import aiohttp
import httpx

from benchmarks.measuring import Announce
from benchmarks.servers import Servers
from tests.worker.asking import make_client
from worker.domain.scores import ScoreId

REQUESTS = 400
ROUNDS = 3
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Transport:
    """Processor milliseconds of this process for one request and its reply."""

    name: str
    milliseconds: float


#: Sends one request for the revision with that number and reads the reply.
Send = Callable[[int], Awaitable[object]]


def measure_transports(servers: Servers, announce: Announce) -> list[Transport]:
    """The median of some rounds, the contenders taking turns in each, so that a busy machine slows all alike."""
    servers.endpoint.reset()
    tell = announce("requests by each transport", ROUNDS)
    spent: dict[str, list[float]] = {}
    for number in range(1, ROUNDS + 1):
        for name, milliseconds in asyncio.run(_round(servers.endpoint.url)).items():
            spent.setdefault(name, []).append(milliseconds)
        tell(number)
    return [Transport(name, median(each)) for name, each in spent.items()]


async def _round(url: str) -> dict[str, float]:
    path = f"{url}/v1/models/enwiki-damaging:predict"
    ours = make_client("lift_wing", url, concurrency=AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with (
        httpx.AsyncClient(limits=limits) as plain,
        aiohttp.ClientSession(connector=connector) as raw,
    ):

        async def by_ours(revision: int) -> object:
            return await ours.score([ScoreId("enwiki", "damaging", revision, "0.5.1")])

        async def by_raw(revision: int) -> object:
            async with raw.post(path, json={"rev_id": revision}) as response:
                return await response.read()

        found = {
            "ours (validated, paced)": await _cost(by_ours),
            "plain httpx": await _cost(lambda n: plain.post(path, json={"rev_id": n})),
            "raw aiohttp": await _cost(by_raw),
        }
    await ours.close()
    return found


async def _cost(send: Send) -> float:
    await asyncio.gather(*(send(revision) for revision in range(1, AT_ONCE + 1)))
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(revision: int) -> None:
        async with slots:
            await send(revision)

    started = time.process_time()
    await asyncio.gather(*(one(revision) for revision in range(1, REQUESTS + 1)))
    return (time.process_time() - started) / REQUESTS * 1000
