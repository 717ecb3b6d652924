"""The front door as one ASGI application."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.web.asking import House
from worker.web.desk import Desk
from worker.web.gadgets import GadgetRoutes
from worker.web.lift_wing import LiftWingRoutes
from worker.web.ores import OresRoutes
from worker.web.pages import PageRoutes
from worker.web.questions import Parameters
from worker.web.refusals import CODES, NOTHING_HERE, Refusal
from worker.web.replies import PREFLIGHT, refused

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


class _Revision(Convertor[str]):
    """Digits, as in ORES' paths; how many there may be is for whoever reads them."""

    regex = "[0-9]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("revision", _Revision())


class FrontDoor:
    """Makes slashes at the end of paths, and browsers' first questions, no business of the routes."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["method"] == "OPTIONS":
                await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
                return
            path = scope["path"]
            if path != "/" and path.endswith("/"):
                scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._application(scope, receive, send)


def make_application(house: House, lifespan: Lifespan | None = None) -> ASGIApp:
    """The application; what *lifespan* opens is closed when the server ends."""
    desk = Desk(house)
    routes = [
        *OresRoutes(desk).routes(),
        *LiftWingRoutes(desk).routes(),
        *GadgetRoutes(desk).routes(),
        *PageRoutes(desk).routes(),
    ]
    handlers: Mapping[Any, Any] = {HTTPException: _refused}

    @asynccontextmanager
    async def until_told(application: Any) -> AsyncIterator[None]:
        async with lifespan(application) if lifespan else nullcontext():
            yield
        desk.counts.tell()

    return FrontDoor(Starlette(routes=routes, exception_handlers=handlers, lifespan=until_told))


async def _refused(request: Request, error: HTTPException) -> Response:
    status = error.status_code if error.status_code in CODES else 400
    message = NOTHING_HERE if status == 404 else f"{error.detail}."
    try:
        parameters = Parameters(request.scope["query_string"])
    except Refusal:
        parameters = Parameters(b"")
    return refused(Refusal(status, message), parameters)
