"""The emulated EventGate: takes events over HTTP, answers each request as the real one does, and keeps what it took.

It shares no code with the sinks that send to it, so that a misreading of EventGate can't be made on both sides at once.
Settings, events and totals are under `/_emulator/`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from worker.emulators import serving
from worker.emulators.documents import encode
from worker.emulators.eventgate.faults import Faults, RequestFault
from worker.emulators.eventgate.replies import Unread, UnsentReply, answer, hasty, outage, posted_events
from worker.emulators.eventgate.settings import EventGateSettings
from worker.emulators.eventgate.side_channel import EventGateSideChannel
from worker.emulators.eventgate.store import EventStore, Post
from worker.emulators.side_channel import json_reply

__all__ = ["EventGateSettings", "make_app", "serve"]

KEPT = 100_000
INFORMATION = {
    "name": "eventgate",
    "version": "1.8.4",
    "description": "An emulated EventGate: it validates events, and keeps them instead of producing them.",
    "home": "https://github.com/wikimedia/eventgate",
}
TEST_EVENT = {
    "$schema": "/test/event/1.0.0",
    "meta": {"stream": "eventgate-main.test.event", "id": "b0caf18d-6c7f-4403-947d-2712bbe28610"},
    "dt": "2026-01-01T00:00:00Z",
    "test": "the test event of the emulated EventGate",
}


class EventGate:
    """Answers requests with events, unless a fault is due."""

    def __init__(self, faults: Faults, store: EventStore) -> None:
        self._faults = faults
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the service."""
        return [
            web.post("/v1/events", self.post_events),
            web.get("/v1/_test/events", self.post_test_event),
            web.get("/_info", self.information),
        ]

    async def information(self, _request: web.Request) -> web.Response:
        """Say what this service is."""
        return json_reply(INFORMATION)

    async def post_events(self, request: web.Request) -> web.Response:
        """Take the events in the body of a request."""
        return await self._answer(request, await request.read(), request.content_type)

    async def post_test_event(self, request: web.Request) -> web.Response:
        """Take a test event of our own like any other, so that a caller can check that all works."""
        return await self._answer(request, encode(TEST_EVENT).encode(), "application/json")

    async def _answer(self, request: web.Request, body: bytes, content_type: str) -> web.Response:
        post = Post(request.headers.get("User-Agent"), content_type, bytes=len(body))
        # Any value makes a request hasty, even `hasty=false`.
        post.hasty = any(request.query.getall("hasty", ()))
        self._store.begin()
        try:
            await asyncio.sleep(self._faults.latency_seconds())
            if self._strikes("close_before", post):
                return _cut_off(request, b"")
            if self._strikes("failures", post):
                return _send(outage(self._faults.settings.failures), post)
            return await self._settle(request, body, post)
        finally:
            self._store.end(post)

    async def _settle(self, request: web.Request, body: bytes, post: Post) -> web.Response:
        settings = self._faults.settings
        try:
            events = posted_events(body, post.content_type, settings.max_body_size, request.method, request.path_qs)
        except Unread as unread:
            return _send(unread.reply, post)
        judged = [self._faults.judged(event) for event in events]
        self._store.settle(post, judged)
        if post.hasty:
            return _send(hasty(len(events)), post)
        if self._strikes("late", post):
            await asyncio.sleep(settings.late.ms / 1000)
        if self._strikes("close_mid_reply", post):
            return _cut_off(request, answer(judged).first_half())
        return _send(answer(judged), post)

    def _strikes(self, fault: RequestFault, post: Post) -> bool:
        strikes = self._faults.strikes(fault)
        if strikes:
            post.faults.append(fault)
        return strikes


def _send(reply: UnsentReply, post: Post) -> web.Response:
    post.status = reply.status
    return web.Response(status=reply.status, reason=reply.reason, body=reply.body, headers=reply.headers())


def _cut_off(request: web.Request, beginning: bytes) -> web.Response:
    """Send no more than *beginning* and close the connection; the response that is returned is not sent."""
    if request.transport is not None:
        request.transport.write(beginning)
        request.transport.close()
    return web.Response()


async def _keep_file(store: EventStore) -> AsyncIterator[None]:
    store.open()
    yield
    store.close()


def make_app(settings: EventGateSettings, file: Path | None, kept: int = KEPT) -> web.Application:
    """Return EventGate as an application; its start raises OSError if the file for the events can't be opened."""
    faults, store = Faults(settings), EventStore(file, kept)
    # aiohttp's own limit is off: EventGate refuses large bodies in another way, with a limit that is a setting.
    app = web.Application(client_max_size=0)
    app.add_routes([*EventGate(faults, store).routes(), *EventGateSideChannel(faults, store).routes()])
    app.cleanup_ctx.append(lambda _app: _keep_file(store))
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    settings: EventGateSettings | None = None,
    file: Path | None = None,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    Port 0 takes a free one; `ready` is called with the port once the server listens. Raises OSError for a port in use
    and for a file that can't be opened.
    """
    serving.run(make_app(settings or EventGateSettings(), file), host, port, ready)
