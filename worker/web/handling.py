"""How every request is handled: errors become documents, and work for a client that goes away is dropped."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from worker.config.telemetry import log
from worker.domain.errors import DocumentUnavailable, RedisUnavailable
from worker.web.asking import RouteContext
from worker.web.bodies import read_form
from worker.web.clients import Clients
from worker.web.counting import Counts
from worker.web.questions import NO_PARAMETERS, Parameters, Question
from worker.web.refusals import Refusal, overloaded
from worker.web.repeats import Repeats
from worker.web.replies import Ready, refused, reply
from worker.web.scoring import Scored, scored, scored_from_cache
from worker.web.shortcut import TAKEN, Shortcut

Result = TypeVar("Result")
#: What a route does: reads the parameters, and returns a reply or raises.
Handler = Callable[[Request, Parameters], Awaitable[Response]]

#: Seconds after which we look whether the client is still there.
PATIENT_SECONDS = 0.2
#: The status of a reply that nobody reads.
NOBODY_THERE = 499


class HandledRoute:
    """A handler as an ASGI application that always ends with a reply."""

    def __init__(self, handler: Handler, counts: Counts) -> None:
        self._handler = handler
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(Request(scope, receive))
        self._counts.replied(response.status_code)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        parameters = NO_PARAMETERS
        try:
            parameters = Parameters(request.scope["query_string"])
            return await self._handler(request, parameters)
        except Refusal as refusal:
            return refused(refusal, parameters)
        except (RedisUnavailable, DocumentUnavailable):
            # The log has it once, with its cure.
            return refused(overloaded(), parameters)
        except ClientDisconnect:
            return Response(status_code=NOBODY_THERE)
        except Exception as error:  # noqa: BLE001 - one request's error is not another's
            log.error("request_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
            return refused(Refusal(500, "An unexpected error; the log has the details."), parameters)


class Handling:
    """What the routes have in common."""

    def __init__(self, context: RouteContext) -> None:
        self.context = context
        self.counts = Counts()
        self._repeats = Repeats()
        self.shortcut = Shortcut(context, self.counts, self._repeats)
        self._clients = Clients(context.settings)

    def at(self, handler: Handler) -> "HandledRoute":
        """*handler* as the endpoint of a route."""
        return HandledRoute(handler, self.counts)

    async def form(self, request: Request, parameters: Parameters) -> Parameters:
        """The *parameters* of the query, and after them those of the form."""
        if request.method != "POST":
            return parameters
        return Parameters(request.scope["query_string"], await read_form(request, self.context.settings))

    async def scored(self, request: Request, question: Question) -> Scored:
        """Answer *question*; uncached scores only within the client's share, and as long as the client is there."""
        found = None if request.scope.get(TAKEN) else await scored_from_cache(self.context, question)
        if found is None:
            async with self._clients.place(request):
                found = await _while_there(request, scored(self.context, question))
        self.counts.scored(found)
        return found

    def reply(self, request: Request, found: Scored, document: Any, parameters: Parameters) -> Response:
        """*document* of what was *found*; a header says when to come again for scores that were not asked for."""
        retry_after = {"Retry-After": str(overloaded().retry_after)} if found.is_cut else None
        response = reply(document, parameters, headers=retry_after)
        if found.is_cached and request.method == "GET":
            ready = Ready(bytes(response.body), str(response.media_type), found.cached)
            self._repeats.keep(request.scope, ready, found.question)
        return response


async def _while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of *work*, which is cancelled when the client goes away; what it asked others to do goes on."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=PATIENT_SECONDS)
        if not task.done():
            gone = asyncio.create_task(_until_gone(request))
            try:
                await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
            if not task.done():
                raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
