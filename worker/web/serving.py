"""Running the front door: one process with one event loop, on uvicorn."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from worker.config.garbage import look_rarely
from worker.web.application import make_application
from worker.web.asking import RouteContext
from worker.web.connections import HttpProtocol

#: Seconds for requests under way when the process is to end; clients that wait longer have to ask again.
SHUTDOWN_SECONDS = 20
KEEP_ALIVE_SECONDS = 65
BACKLOG = 512
#: Some requests' worth.
OBJECTS_A_COLLECTION = 10_000


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        OSError: it can't.
    """
    # With the protocol named, or asyncio would leave Nagle's algorithm on, which holds up every reply for 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def serve(
    context: RouteContext, close: Callable[[], Awaitable[None]], *, host: str, port: int, ready: Callable[[int], None]
) -> None:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    *close* ends what the routes ask. Port 0 takes a free one; *ready* is called with the port.

    Raises:
        OSError: it can't listen there.
    """
    listener = listening(host, port)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        ready(listener.getsockname()[1])
        yield
        await close()

    serve_application(make_application(context, lifespan), listener)


def serve_application(application: ASGIApp, listener: socket.socket) -> None:
    """Serve *application* on *listener* until SIGTERM or SIGINT; must be called in the main thread."""
    config = uvicorn.Config(
        application,
        http=HttpProtocol,
        # It writes what is written in one step of the loop in one piece.
        loop="uvloop",
        log_config=None,
        # What it warns of are the mistakes of clients, a line each.
        log_level="error",
        access_log=False,
        # We judge ourselves for whom a proxy speaks.
        proxy_headers=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    look_rarely(OBJECTS_A_COLLECTION)
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
