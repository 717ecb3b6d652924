"""The emulated scoring endpoint: ORES v3 and Lift Wing over HTTP, with settings and a call log of its own.

Owns the server, the reading of requests and the log of calls. It shares no code with the clients it is asked by,
so that a misreading of the services cannot hide on both sides. Settings and log are under `/_emulator/`.
"""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from worker.emulators.call_log import Call, CallLog, encode
from worker.emulators.scoring_questions import Question, Refusal, liftwing_question, ores_question
from worker.emulators.scoring_shapes import (
    REVSCORING_MODELS,
    Document,
    EmulatorSettings,
    ores_document,
    ores_error,
    probabilities,
)

__all__ = ["EmulatorSettings", "make_app", "probabilities", "serve"]

KEPT_CALLS = 100_000
FLUSH_SECONDS = 1.0
SHUTDOWN_SECONDS = 2.0


class ScoringEndpoint:
    """Answers HTTP requests: scoring calls after the set latency, and unless a failure is due; others at once."""

    def __init__(self, settings: EmulatorSettings, log: CallLog) -> None:
        self._log = log
        self._apply(settings)

    def _apply(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        # Two generators, so that switching jitter on does not move the failures to other calls.
        self._failure_chance = random.Random(settings.seed)  # noqa: S311 - must be reproducible
        self._jitter_chance = random.Random(settings.seed)  # noqa: S311

    def routes(self) -> list[web.RouteDef]:
        """Return what the endpoint serves; ORES takes its paths with and without a slash at the end."""
        wiki = "/v3/scores/{wiki}"
        revision = wiki + "/{revision:[0-9]+}"
        ores = [wiki, revision, revision + "/{model}"]
        return [
            *(web.get(path + slash, self.ores) for path in ores for slash in ("", "/")),
            *(web.get("/v3/scores" + slash, self.ores_wikis) for slash in ("", "/")),
            web.post("/v1/models/{name:[^/:]+}:predict", self.liftwing),
            web.get("/_emulator/settings", self.show_settings),
            web.patch("/_emulator/settings", self.change_settings),
            web.get("/_emulator/calls", self.show_calls),
            web.delete("/_emulator/calls", self.forget_calls),
            web.get("/_emulator/summary", self.show_summary),
        ]

    async def ores(self, request: web.Request) -> web.Response:
        """Answer an ORES v3 call about one wiki."""
        path = request.match_info
        call = Call("ores")

        async def read() -> Question:
            return ores_question(path["wiki"], request.query, path.get("revision"), path.get("model"))

        return await self._answer(call, read)

    async def liftwing(self, request: web.Request) -> web.Response:
        """Answer a Lift Wing prediction call."""

        async def read() -> Question:
            return liftwing_question(request.match_info["name"], await request.read())

        return await self._answer(Call("liftwing"), read)

    async def ores_wikis(self, _request: web.Request) -> web.Response:
        """List the models and versions of the configured wikis."""
        call = Call("info", models=REVSCORING_MODELS, status=200)
        document: Document = {}
        for wiki in self._settings.wikis:
            document |= ores_document(self._settings, wiki, REVSCORING_MODELS, ())
        self._log.end(call)
        return _reply(document)

    async def _answer(self, call: Call, read: Callable[[], Awaitable[Question]]) -> web.Response:
        try:
            question = await read()
            call.wiki, call.models, call.revisions = question.wiki, question.models, question.revisions
            settings = self._settings
            if call.revisions:
                self._log.begin(call)
                await self._delay_or_fail(call.kind)
            else:
                call.kind = "info"
            document, call.scores = question.answer(settings)
            call.status = 200
            return _reply(document)
        except Refusal as refusal:
            call.status = refusal.status
            return _reply(refusal.document, refusal.status, refusal.retry_after)
        finally:
            self._log.end(call)

    async def _delay_or_fail(self, kind: str) -> None:
        settings = self._settings
        fails = self._failure_chance.random() < settings.failures.rate
        jitter = settings.latency_jitter_ms * self._jitter_chance.uniform(-1, 1)
        milliseconds = settings.latency_ms + jitter
        if milliseconds > 0:
            await asyncio.sleep(milliseconds / 1000)
        if fails:
            status, message = settings.failures.status, "This failure was asked for in the settings of the emulator."
            document: Document = ores_error(status, message) if kind == "ores" else {"error": message}
            raise Refusal(status, document, settings.failures.retry_after)

    async def show_settings(self, _request: web.Request) -> web.Response:
        """Show the settings in force."""
        return _reply(self._settings.model_dump(mode="json"))

    async def change_settings(self, request: web.Request) -> web.Response:
        """Apply a JSON merge patch and show the settings; the sequence of failures starts anew from the seed."""
        try:
            patch = json.loads(await request.read())
            if not isinstance(patch, dict):
                return _reply({"error": "Settings are changed with a JSON object."}, 400)
            self._apply(self._settings.changed(patch))
        except ValidationError as error:
            return _reply({"error": _sentence(error)}, 400)
        except ValueError as error:
            return _reply({"error": f"The settings are not JSON: {error}."}, 400)
        return await self.show_settings(request)

    async def show_calls(self, request: web.Request) -> web.Response:
        """List the kept calls, those after `since` if given."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return _reply({"error": f"since must be a sequence number, not {since!r}."}, 400)
        self._log.flush()
        return _reply({"calls": self._log.since(int(since))})

    async def forget_calls(self, _request: web.Request) -> web.Response:
        """Reset the log and the totals."""
        self._log.reset()
        return web.Response(status=204)

    async def show_summary(self, _request: web.Request) -> web.Response:
        """Show the totals."""
        return _reply(self._log.summary())

    async def keep_file(self, _app: web.Application) -> AsyncIterator[None]:
        """Write the log file each second while the server runs, and the rest of it at the end."""
        self._log.open()
        flushing = asyncio.create_task(self._flush_each_second())
        yield
        flushing.cancel()
        self._log.close()

    async def _flush_each_second(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._log.flush()


def _sentence(error: ValidationError) -> str:
    problems = [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
    return f"The settings were not changed, because of {'; '.join(problems)}."


def _reply(document: Document, status: int = 200, retry_after: str | None = None) -> web.Response:
    headers = None if retry_after is None else {"Retry-After": retry_after}
    return web.Response(body=encode(document).encode(), status=status, headers=headers, content_type="application/json")


def make_app(settings: EmulatorSettings, log_path: Path | None, kept_calls: int = KEPT_CALLS) -> web.Application:
    """Return the endpoint as an application; its start raises OSError if the log file cannot be opened."""
    endpoint = ScoringEndpoint(settings, CallLog(log_path, kept_calls))
    app = web.Application()
    app.add_routes(endpoint.routes())
    app.cleanup_ctx.append(endpoint.keep_file)
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    settings: EmulatorSettings | None = None,
    log_path: Path | None = None,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    Port 0 takes a free one; `ready` is told the port once it is listened on. Raises OSError for a port in use and
    for a log file that cannot be opened.
    """
    app = make_app(settings or EmulatorSettings(), log_path)
    asyncio.run(_serve(app, host, port, ready or (lambda _port: None)))


async def _serve(app: web.Application, host: str, port: int, ready: Callable[[int], None]) -> None:
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
