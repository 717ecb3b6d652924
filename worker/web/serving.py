"""Running the front door: one process with one event loop, on uvicorn."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from worker.web.application import make_application
from worker.web.asking import House

#: For requests that are under way when the process is to end; those who wait for longer have to ask again.
SHUTDOWN_SECONDS = 20
KEEP_ALIVE_SECONDS = 65
BACKLOG = 512


class _Server(uvicorn.Server):
    """Says where it listens, once it does."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready(self.servers[0].sockets[0].getsockname()[1])


def serve(
    house: House, close: Callable[[], Awaitable[None]], *, host: str, port: int, ready: Callable[[int], None]
) -> bool:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    *close* ends what the routes ask. Port 0 takes a free one; *ready* is called with the port. Returns whether it
    could listen.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        await close()

    config = uvicorn.Config(
        make_application(house, lifespan),
        host=host,
        port=port,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        # Whom a proxy speaks for is for us to judge.
        proxy_headers=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = _Server(config, ready)
    server.run()
    return server.started
