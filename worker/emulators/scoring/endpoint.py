"""The emulated scoring endpoint: ORES v3 and Lift Wing over HTTP, with settings and a call log of its own.

Owns the server and the calls for scores. It shares no code with our clients, so that a misreading of the services can't
be made on both sides at once. Settings and log are under `/_emulator/`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web

from worker.emulators import serving
from worker.emulators.scoring.behaviour import Behaviour
from worker.emulators.scoring.call_log import CallLog, LoggedCall
from worker.emulators.scoring.predictions import liftwing_question
from worker.emulators.scoring.questions import ErrorReply, ScoringQuestion, ores_question, wikis_question
from worker.emulators.scoring.settings import EmulatorSettings
from worker.emulators.scoring.shapes import probabilities
from worker.emulators.scoring.side_channel import SideChannel
from worker.emulators.side_channel import json_reply

__all__ = ["EmulatorSettings", "make_app", "probabilities", "serve"]

KEPT_CALLS = 100_000
FLUSH_SECONDS = 1.0


class ScoringEndpoint:
    """Answers calls for scores: after the set latency, and unless they are refused or a failure is due.

    Calls for model information, and calls it does not understand, are answered at once.
    """

    def __init__(self, behaviour: Behaviour, log: CallLog) -> None:
        self._behaviour = behaviour
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of both services; ORES' paths work with and without a slash at the end."""
        wiki = "/v3/scores/{wiki}"
        revision = wiki + "/{revision:[0-9]+}"
        ores = [wiki, revision, revision + "/{model}"]
        return [
            *(web.get(path + slash, self.ores) for path in ores for slash in ("", "/")),
            *(web.get("/v3/scores" + slash, self.ores_wikis) for slash in ("", "/")),
            web.post("/v1/models/{name:[^/:]+}:predict", self.liftwing),
        ]

    async def ores(self, request: web.Request) -> web.Response:
        """Answer an ORES v3 call about one wiki."""
        path, query = request.match_info, request.query
        kind = "ores" if "revision" in path or "revids" in query else "info"
        settings = self._behaviour.settings

        async def read() -> ScoringQuestion:
            return ores_question(path["wiki"], query, path.get("revision"), path.get("model"), settings)

        return await self._answer(_call(kind, request), read)

    async def liftwing(self, request: web.Request) -> web.Response:
        """Answer a Lift Wing prediction call."""
        call, settings = _call("liftwing", request), self._behaviour.settings
        host = call.host or "" if settings.host_routing else None

        async def read() -> ScoringQuestion:
            return liftwing_question(request.match_info["name"], await request.read(), host, settings)

        return await self._answer(call, read)

    async def ores_wikis(self, request: web.Request) -> web.Response:
        """List the models and versions of the configured wikis."""

        async def read() -> ScoringQuestion:
            return wikis_question(request.query)

        return await self._answer(_call("info", request), read)

    async def _answer(self, call: LoggedCall, read: Callable[[], Awaitable[ScoringQuestion]]) -> web.Response:
        try:
            self._behaviour.let_in(call)
            question = await read()
            call.wiki, call.models, call.revisions = question.wiki, question.models, question.revisions
            settings = self._behaviour.settings_of_call()
            if call.revisions:
                self._behaviour.admit(call, self._log.in_flight)
                self._log.begin(call)
                await self._behaviour.delay_or_fail(call)
            document, call.scores = question.answer(settings)
            call.status = 200
            return json_reply(document)
        except ErrorReply as error_reply:
            call.status = error_reply.status
            if isinstance(error_reply.document, str):
                return web.Response(text=error_reply.document, status=error_reply.status)
            return json_reply(error_reply.document, error_reply.status, error_reply.retry_after)
        finally:
            self._log.end(call)


def _call(kind: str, request: web.Request) -> LoggedCall:
    return LoggedCall(kind, host=request.headers.get("Host"), user_agent=request.headers.get("User-Agent"))


async def _keep_file(log: CallLog) -> AsyncIterator[None]:
    """Write the log file each second while the server runs, and the rest of it at the end."""
    log.open()
    flushing = asyncio.create_task(_flush_each_second(log))
    yield
    flushing.cancel()
    log.close()


async def _flush_each_second(log: CallLog) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        log.flush()


def make_app(settings: EmulatorSettings, log_path: Path | None, kept_calls: int = KEPT_CALLS) -> web.Application:
    """Return the endpoint as an application; its start raises OSError if the log file cannot be opened."""
    behaviour, log = Behaviour(settings), CallLog(log_path, kept_calls)
    app = web.Application()
    app.add_routes([*ScoringEndpoint(behaviour, log).routes(), *SideChannel(behaviour, log).routes()])
    app.cleanup_ctx.append(lambda _app: _keep_file(log))
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    settings: EmulatorSettings | None = None,
    log_path: Path | None = None,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    Port 0 takes a free one; `ready` is called with the port once the server listens. Raises OSError for a port in use
    and for a log file that cannot be opened.
    """
    serving.run(make_app(settings or EmulatorSettings(), log_path), host, port, ready)
