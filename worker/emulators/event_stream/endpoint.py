"""The emulated EventStreams: sends the events posted to its side channel over SSE, and fails as its settings say.

It shares no code with the listener, so that a misreading of EventStreams can't be made on both sides at once.
Settings, events and connections are under `/_emulator/`.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import NoReturn

from aiohttp import web

from worker.emulators import serving
from worker.emulators.documents import encode
from worker.emulators.event_stream.history import History, Reading, topics_of
from worker.emulators.event_stream.hub import Connection, Hub
from worker.emulators.event_stream.refusals import (
    StreamRefused,
    no_client_address,
    no_such_streams,
    too_many_connections,
)
from worker.emulators.event_stream.settings import EventStreamSettings
from worker.emulators.event_stream.side_channel import EventStreamSideChannel
from worker.emulators.side_channel import json_reply

__all__ = ["EventStreamSettings", "make_app", "serve"]

KEPT = 100_000
#: How often a connection checks whether its client is still there.
LOOK_SECONDS = 0.2
PREFIX = "mediawiki."
#: Source: operations/deployment-charts eventstreams values.yaml, `allowed_streams`.
STREAMS = frozenset(
    {
        "mediawiki.page-create",
        "mediawiki.page-delete",
        "mediawiki.page-links-change",
        "mediawiki.page-move",
        "mediawiki.page-properties-change",
        "mediawiki.page-undelete",
        "mediawiki.page_change.v1",
        "mediawiki.recentchange",
        "mediawiki.revision-create",
        "mediawiki.revision-tags-change",
        "mediawiki.revision-visibility-change",
    }
)


class EventStreams:
    """Sends events over each connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the events of one or several streams for as long as the connection is open."""
        headers = request.headers
        connection = self._hub.connected(
            request.match_info["streams"],
            headers.get("Last-Event-ID"),
            request.query.get("since"),
            headers.get("User-Agent"),
        )
        settings = self._hub.settings
        jitter = settings.latency_jitter_ms * random.uniform(-1, 1)  # noqa: S311 - spreads requests, guards nothing
        await asyncio.sleep(max(0.0, settings.latency_ms + jitter) / 1000)
        try:
            if self._hub.refuses(connection):
                connection.status = settings.failures.status
                return json_reply({"detail": "refused"}, connection.status, settings.failures.retry_after)
            try:
                self._count(request, connection)
                reading = self._reading(connection)
            except StreamRefused as refused:
                connection.status = refused.status
                return _refusal(request, refused)
            return await _OpenStream(request, connection, self._hub).send(reading)
        finally:
            connection.is_open = False

    def _reading(self, connection: Connection) -> Reading:
        named = [name if name in STREAMS else PREFIX + name for name in connection.streams.split(",")]
        if set(named) - STREAMS:
            raise no_such_streams(
                [name for name in connection.streams.split(",") if not {name, PREFIX + name} & STREAMS]
            )
        topics = [topic for stream in named for topic in topics_of(stream)]
        return Reading(self._hub.history, topics, connection.last_event_id, connection.since)

    def _count(self, request: web.Request, connection: Connection) -> None:
        """
        Raises:
            StreamRefused: the client has as many connections as the settings let one client have.
        """
        limit = self._hub.settings.connections_per_client
        if limit is None:
            return
        connection.client = request.headers.get("X-Client-IP")
        if not connection.client:
            raise no_client_address()
        if self._hub.open_connections(connection.client) > limit:
            raise too_many_connections()


def _refusal(request: web.Request, refused: StreamRefused) -> web.Response:
    if refused.reason is None:
        return json_reply(refused.document | {"method": request.method, "uri": request.path_qs}, refused.status)
    reason = " ".join(refused.reason.split())
    return web.Response(body=(encode(refused.document) + "\n").encode(), status=refused.status, reason=reason)


class _OpenStream:
    """One connection that was accepted."""

    def __init__(self, request: web.Request, connection: Connection, hub: Hub) -> None:
        self._request = request
        self._connection = connection
        self._hub = hub
        self._settings = hub.settings
        self._generation = hub.generation
        self._interruption = hub.settings.interruption if hub.interrupts(connection) else None
        accept = request.headers.get("Accept")
        #: Only lines of JSON, for a client that asks for them: no ids, no comments.
        self._is_json = (accept or "").startswith("application/json")
        kind = "application/json; charset=utf-8" if self._is_json else "text/event-stream; charset=utf-8"
        headers = {"Content-Type": "text/event-stream" if accept is None else kind, "Cache-Control": "no-cache"}
        self._response = web.StreamResponse(headers=headers)

    async def send(self, reading: Reading) -> web.StreamResponse:
        await self._response.prepare(self._request)
        self._connection.status = 200
        try:
            await self._send("\n" if self._is_json else ":ok\n\n")
            number = self._hub.history.first
            while not await self._is_over():
                number = max(number, self._hub.history.first)
                event = self._hub.history.event(number)
                if event is None:
                    await self._wait()
                    continue
                number += 1
                if reading.has_before_it(event):
                    event_id = reading.id_after(event, self._settings.ids)
                    await self._send_event(self._block("message", event.data, event_id))
        except ConnectionError:
            pass
        return self._response

    async def _send_event(self, block: str) -> None:
        if self._is_due() and self._interruption and self._interruption.how == "cut_within":
            await self._send(block[: len(block) // 2])
            self._cut()
        await self._send(block)
        self._connection.sent += 1

    def _block(self, name: str, data: str, event_id: str | None = None) -> str:
        if self._is_json:
            return f"{data}\n"
        return f"event: {name}\n" + (f"id: {event_id}\n" if event_id else "") + f"data: {data}\n\n"

    async def _is_over(self) -> bool:
        if self._is_gone():
            return True
        how = self._interruption.how if self._is_due() and self._interruption else None
        if how == "error":
            await self._send(self._block("error", '{"message":"asked for in the settings of the emulator"}'))
        elif how == "cut":
            self._cut()
        elif how == "silence":
            while not self._is_gone():
                await self._hub.news(LOOK_SECONDS)
        return how in {"error", "cut", "silence", "close"}

    def _is_due(self) -> bool:
        return self._interruption is not None and self._interruption.after_events == self._connection.sent

    def _is_gone(self) -> bool:
        return self._request.transport is None or self._hub.generation != self._generation

    def _cut(self) -> NoReturn:
        if self._request.transport is not None:
            self._request.transport.close()
        raise ConnectionResetError("cut off, as asked for in the settings")

    async def _wait(self) -> None:
        heartbeat_seconds = self._settings.heartbeat_seconds
        await self._hub.news(min(heartbeat_seconds, LOOK_SECONDS))
        if not self._is_json and time.monotonic() >= self._spoke_at + heartbeat_seconds:
            await self._send(":heartbeat\n\n")
            self._connection.comments += 1

    async def _send(self, text: str) -> None:
        content, drip = text.encode(), self._settings.drip
        size = drip.bytes or len(content)
        for start in range(0, len(content), size):
            if drip.bytes:
                await asyncio.sleep(drip.ms / 1000)
            await self._response.write(content[start : start + size])
        self._spoke_at = time.monotonic()


async def _end_all(app: web.Application) -> None:
    app[HUB].end_connections()


HUB = web.AppKey("hub", Hub)


def make_app(settings: EventStreamSettings, kept: int = KEPT) -> web.Application:
    """Return EventStreams as an application that keeps the newest *kept* events."""
    hub = Hub(settings, History(kept))
    app = web.Application(client_max_size=0)
    app[HUB] = hub
    app.add_routes(
        [web.get("/v2/stream/{streams}", EventStreams(hub).stream), *EventStreamSideChannel(hub, STREAMS).routes()]
    )
    app.on_shutdown.append(_end_all)
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    settings: EventStreamSettings | None = None,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    Port 0 takes a free one; `ready` is called with the port once the server listens. Raises OSError for a port in use.
    """
    serving.run(make_app(settings or EventStreamSettings()), host, port, ready)
