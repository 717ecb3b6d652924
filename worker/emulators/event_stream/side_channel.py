"""The side channel of the emulated EventStreams: its settings, events and connections under `/_emulator/`."""

from collections.abc import Collection
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from worker.emulators.documents import encode
from worker.emulators.event_stream.hub import Hub
from worker.emulators.side_channel import SettingsChannel, json_reply


class Posted(BaseModel):
    """What is to be sent: events, or lines as they are, valid or not."""

    model_config = ConfigDict(extra="forbid")

    stream: str = "mediawiki.recentchange"
    datacentre: Literal["eqiad", "codfw"] = "eqiad"
    events: list[dict[str, object]] = []
    lines: list[str] = []

    @field_validator("lines")
    @classmethod
    def _are_single(cls, lines: list[str]) -> list[str]:
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("a line must not contain a line break")
        return lines


class EventStreamSideChannel:
    """Shows and changes the emulator's settings, events and connections; always answers at once."""

    def __init__(self, hub: Hub, streams: Collection[str]) -> None:
        self._settings = SettingsChannel(hub)
        self._hub = hub
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the side channel."""
        return [
            *self._settings.routes(),
            web.post("/_emulator/events", self.post_events),
            web.delete("/_emulator/events", self.forget_events),
            web.get("/_emulator/connections", self.show_connections),
        ]

    async def post_events(self, request: web.Request) -> web.Response:
        """Send events to all open connections, and to later ones that ask for them."""
        try:
            posted = Posted.model_validate_json(await request.read())
        except ValidationError as error:
            return json_reply({"error": str(error)}, 400)
        if posted.stream not in self._streams:
            return json_reply({"error": f"{posted.stream}: no such stream"}, 400)
        lines = [*map(encode, posted.events), *posted.lines]
        return json_reply({"posted": self._hub.post(posted.stream, posted.datacentre, lines)}, 201)

    async def forget_events(self, _request: web.Request) -> web.Response:
        """Reset events and connections."""
        self._hub.reset()
        return web.Response(status=204)

    async def show_connections(self, _request: web.Request) -> web.Response:
        """List the connections, and what became of each."""
        return json_reply({"connections": self._hub.connections()})
