"""Talking to a fresh emulated endpoint inside the test's own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.emulators.conversations import Conversation, with_app
from tests.patience import PATIENCE_SECONDS
from worker.emulators.scoring.endpoint import EmulatorSettings, make_app

DAMAGING = "/v1/models/enwiki-damaging:predict"
LATENCY_MS = 100
#: Longer than any test: such calls are in flight until they are given up.
ENDLESS_MS = 3_600_000
#: The same, until it is taken away: see `let_go`.
ENDLESS: Any = [{"latency_ms": ENDLESS_MS}]


def server(name: str) -> str:
    """The path of a model server at Lift Wing."""
    return f"/v1/models/{name}:predict"


def instances(*revisions: int, lang: str = "en") -> dict[str, object]:
    """The body of a call about several revisions."""
    return {"instances": [{"rev_id": revision, "lang": lang} for revision in revisions]}


def with_endpoint(
    conversation: Conversation,
    settings: EmulatorSettings | None = None,
    log_path: Path | None = None,
    kept_calls: int = 1000,
) -> None:
    """Run a conversation with a fresh endpoint on a free loopback port."""
    with_app(make_app(settings or EmulatorSettings(), log_path, kept_calls), conversation)


def reply_to(
    path: str, body: object = None, settings: EmulatorSettings | None = None, host: str | None = None
) -> httpx.Response:
    """Return the reply of a fresh endpoint to one GET, or to one POST if there is a body."""
    replies = []
    headers = {} if host is None else {"Host": host}

    async def conversation(client: httpx.AsyncClient) -> None:
        call = client.get(path, headers=headers) if body is None else client.post(path, json=body, headers=headers)
        replies.append(await call)

    with_endpoint(conversation, settings)
    return replies[0]


def call_logged_for(path: str, body: object = None, settings: EmulatorSettings | None = None) -> dict[str, Any]:
    """Return what a fresh endpoint logs of one call."""
    logged: list[dict[str, Any]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        await (client.get(path) if body is None else client.post(path, json=body))
        logged.extend(await calls(client))

    with_endpoint(conversation, settings)
    return logged[0]


async def calls(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return the log of the endpoint."""
    log: list[dict[str, Any]] = (await client.get("/_emulator/calls")).json()["calls"]
    return log


async def summary(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return the totals of the endpoint."""
    totals: dict[str, Any] = (await client.get("/_emulator/summary")).json()
    return totals


async def in_flight(client: httpx.AsyncClient, count: int) -> None:
    """Come back when *count* scoring calls are in flight."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await summary(client))["in_flight"] != count:
            pass


async def let_go(client: httpx.AsyncClient) -> None:
    """Let the calls go on that wait for the end of `ENDLESS`."""
    await client.patch("/_emulator/settings", json={"troubles": None})


@asynccontextmanager
async def endless_calls(client: httpx.AsyncClient, *revisions: int) -> AsyncIterator[None]:
    """Have a call about each of *revisions* in flight meanwhile; the latency must be endless."""
    tasks = [asyncio.create_task(client.post(DAMAGING, json={"rev_id": revision})) for revision in revisions]
    await in_flight(client, len(tasks))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
