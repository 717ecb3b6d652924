"""The front door as one ASGI application."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from worker.web.asking import RouteContext
from worker.web.gadgets import GadgetRoutes
from worker.web.handling import Handling
from worker.web.lift_wing import LiftWingRoutes
from worker.web.ores import OresRoutes
from worker.web.pages import PageRoutes
from worker.web.questions import NO_PARAMETERS, Parameters
from worker.web.refusals import CODES, NOTHING_HERE, Refusal
from worker.web.replies import PREFLIGHT, Ready, refused
from worker.web.shortcut import TAKEN, TellReply

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


class _Revision(Convertor[str]):
    """A revision in a path: digits, as in ORES; whether there are too many is decided where the number is read."""

    regex = "[0-9]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("revision", _Revision())
#: Several slashes in a row, as after a base address that ends in one.
_SLASHES = re.compile("/{2,}")


class FrontDoor:
    """Removes superfluous slashes, answers browsers' preflight requests, and refuses paths that lead nowhere.

    Nothing else stands before the routes: layers that catch errors cost as much as a cached score, and the routes
    catch their own.
    """

    def __init__(self, router: Router, handling: Handling) -> None:
        self._router = router
        self.handling = handling

    def take(self, scope: Scope, tell: TellReply) -> bool:
        """Whether a request can be answered without a task, as far as can be seen; then *tell* is called."""
        path = scope["path"]
        if "//" in path or (path.endswith("/") and path != "/"):
            scope["path"] = _SLASHES.sub("/", path).rstrip("/") or "/"
        return self.handling.shortcut.take(scope, tell)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["method"] == "OPTIONS":
                await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
                return
            if TAKEN not in scope and await self._is_taken(scope, send):
                return
            # Without it the router itself answers an unknown path, in plain text.
            scope["app"] = self
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await _refused(scope, error)(scope, receive, send)

    async def _is_taken(self, scope: Scope, send: Send) -> bool:
        """Whether the short way has answered the request. Our own server takes it before there is a task."""
        found: asyncio.Future[Ready | None] = asyncio.get_running_loop().create_future()

        def tell(ready: Ready | None) -> None:
            if not found.done():
                found.set_result(ready)

        ready = await found if self.take(scope, tell) else None
        for message in ready.messages if ready else ():
            await send(message)
        return ready is not None


def make_application(context: RouteContext, lifespan: Lifespan | None = None) -> "FrontDoor":
    """The application; what *lifespan* opens is closed when the server ends."""
    handling = Handling(context)
    routes = [
        *OresRoutes(handling).routes(),
        *LiftWingRoutes(handling).routes(),
        *GadgetRoutes(handling).routes(),
        *PageRoutes(handling).routes(),
    ]

    @asynccontextmanager
    async def until_the_end(application: Any) -> AsyncIterator[None]:
        async with lifespan(application) if lifespan else nullcontext():
            yield
        handling.counts.tell()

    return FrontDoor(Router(routes, redirect_slashes=False, lifespan=until_the_end), handling)


def _refused(scope: Scope, error: HTTPException) -> Response:
    status = error.status_code if error.status_code in CODES else 400
    message = NOTHING_HERE if status == 404 else f"{error.detail}."
    try:
        parameters = Parameters(scope["query_string"])
    except Refusal:
        parameters = NO_PARAMETERS
    return refused(Refusal(status, message), parameters)
