"""Running an emulator, on a port that it reports, until a signal comes."""

import asyncio
import signal
from collections.abc import Callable

from aiohttp import web

SHUTDOWN_SECONDS = 2.0


def run(app: web.Application, host: str, port: int, ready: Callable[[int], None] | None = None) -> None:
    """Serve *app* until SIGTERM or SIGINT; must be called in the main thread.

    Port 0 takes a free one; *ready* is called with the port once the server listens. Raises OSError for a port in use.
    """
    asyncio.run(_run(app, host, port, ready or (lambda _port: None)))


async def _run(app: web.Application, host: str, port: int, ready: Callable[[int], None]) -> None:
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
