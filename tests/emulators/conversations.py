"""Talking to any emulator inside the test's own process."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from aiohttp import web

from tests.patience import PATIENCE_SECONDS

Conversation = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_app(app: web.Application, conversation: Conversation) -> None:
    """Run a conversation with any emulator on a free loopback port."""

    async def run() -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        try:
            async with httpx.AsyncClient(
                base_url=f"http://{host}:{port}", trust_env=False, timeout=PATIENCE_SECONDS
            ) as client:
                await conversation(client)
        finally:
            await runner.cleanup()

    asyncio.run(run())


def refusal_of(patch: str, named: str) -> Conversation:
    """A conversation in which the settings refuse *patch* in a sentence with *named* in it, and stay as they are."""

    async def conversation(client: httpx.AsyncClient) -> None:
        before = (await client.get("/_emulator/settings")).json()
        reply = await client.patch("/_emulator/settings", content=patch)
        assert reply.status_code == 400
        assert named in reply.json()["error"]
        assert (await client.get("/_emulator/settings")).json() == before

    return conversation
