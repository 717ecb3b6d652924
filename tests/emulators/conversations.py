"""Talking to any emulator inside the test's own process."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from aiohttp import web

Conversation = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_app(app: web.Application, conversation: Conversation) -> None:
    """Run a conversation with any emulator on a free loopback port."""

    async def run() -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        try:
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
                await conversation(client)
        finally:
            await runner.cleanup()

    asyncio.run(run())
