"""The side channel of the emulated EventGate: its settings, events and totals under `/_emulator/`."""

from aiohttp import web

from worker.emulators.eventgate.faults import Faults
from worker.emulators.eventgate.store import EventStore
from worker.emulators.side_channel import SettingsChannel, json_reply


class EventGateSideChannel:
    """Shows and changes the emulator's settings and what it took; always answers at once."""

    def __init__(self, faults: Faults, store: EventStore) -> None:
        self._settings = SettingsChannel(faults)
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the side channel."""
        return [
            *self._settings.routes(),
            web.get("/_emulator/events", self.show_events),
            web.delete("/_emulator/events", self.forget_events),
            web.get("/_emulator/ids", self.show_ids),
            web.get("/_emulator/posts", self.show_posts),
            web.get("/_emulator/summary", self.show_summary),
        ]

    async def show_events(self, request: web.Request) -> web.Response:
        """List the kept events, those of `stream` if given."""
        return json_reply({"events": self._store.events(request.query.get("stream"))})

    async def forget_events(self, _request: web.Request) -> web.Response:
        """Reset events, requests and totals."""
        self._store.reset()
        return web.Response(status=204)

    async def show_ids(self, _request: web.Request) -> web.Response:
        """Show how often each `meta.id` was taken."""
        return json_reply({"ids": dict(self._store.ids)})

    async def show_posts(self, _request: web.Request) -> web.Response:
        """List the kept requests."""
        return json_reply({"posts": self._store.posts()})

    async def show_summary(self, _request: web.Request) -> web.Response:
        """Show the totals."""
        return json_reply(self._store.summary())
