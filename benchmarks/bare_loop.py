"""The fastest that one process can ask the same: aiohttp alone, with as many requests under way, and nothing kept."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import aiohttp

from benchmarks.columns import LANGUAGE, WIKI, Column
from worker.domain.models import DEFAULT_MODELS

#: How many scores ORES is asked for at once, and Lift Wing's servers that take several.
ORES_SCORES = 50
INSTANCES = 20


def asked_bare(url: str, column: Column, edits: int, announce: Callable[[str, int], Callable[[int], None]]) -> float:
    """Edits a second whose scores are asked for and read, but not even parsed."""
    tell = announce(f"{column.name} bare loop", edits)
    seconds = asyncio.run(_ask(url, column, edits))
    tell(edits)
    return edits / seconds


async def _ask(url: str, column: Column, edits: int) -> float:
    numbers = count(50_000_000)
    revisions = [next(numbers) for _ in range(edits)]
    slots = asyncio.Semaphore(column.concurrency)
    connector = aiohttp.TCPConnector(limit=column.concurrency)
    async with aiohttp.ClientSession(base_url=url, connector=connector) as http:

        async def one(method: str, path: str, arguments: dict[str, Any]) -> None:
            async with slots, http.request(method, path, **arguments) as reply:
                await reply.read()
                reply.raise_for_status()

        async def all_of(some: list[int]) -> None:
            await asyncio.gather(*(one(*request) for request in _requests(column, some)))

        # Opens the connections.
        await all_of([next(numbers) for _ in range(column.concurrency)])
        began = time.monotonic()
        await all_of(revisions)
        return time.monotonic() - began


def _requests(column: Column, revisions: list[int]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and arguments of each request."""
    if column.kind == "ores":
        each = ORES_SCORES // len(column.models)
        for start in range(0, len(revisions), each):
            revids = "|".join(map(str, revisions[start : start + each]))
            yield "GET", f"/v3/scores/{WIKI}/", {"params": {"models": "|".join(column.models), "revids": revids}}
        return
    for model in column.models:
        name = DEFAULT_MODELS[model].lift_wing_name
        if name is None:
            for revision in revisions:
                yield "POST", f"/v1/models/{WIKI}-{model}:predict", {"json": {"rev_id": revision}}
            continue
        for start in range(0, len(revisions), INSTANCES):
            some = [{"rev_id": revision, "lang": LANGUAGE} for revision in revisions[start : start + INSTANCES]]
            yield "POST", f"/v1/models/{name}:predict", {"json": {"instances": some}}
