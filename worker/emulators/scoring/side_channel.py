"""The side channel of the emulated scoring endpoint: its settings, log and totals under `/_emulator/`."""

from aiohttp import web

from worker.emulators.scoring.behaviour import Behaviour
from worker.emulators.scoring.call_log import CallLog
from worker.emulators.side_channel import SettingsChannel, json_reply


class SideChannel:
    """Shows and changes the endpoint's settings and log; always answers at once."""

    def __init__(self, behaviour: Behaviour, log: CallLog) -> None:
        self._settings = SettingsChannel(behaviour)
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the side channel."""
        return [
            *self._settings.routes(),
            web.get("/_emulator/calls", self.show_calls),
            web.delete("/_emulator/calls", self.forget_calls),
            web.get("/_emulator/summary", self.show_summary),
        ]

    async def show_calls(self, request: web.Request) -> web.Response:
        """List the kept calls, those after `since` if given."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return json_reply({"error": f"since must be a sequence number, not {since!r}."}, 400)
        self._log.flush()
        return json_reply({"calls": self._log.since(int(since))})

    async def forget_calls(self, _request: web.Request) -> web.Response:
        """Reset the log and the totals."""
        self._log.reset()
        return web.Response(status=204)

    async def show_summary(self, _request: web.Request) -> web.Response:
        """Show the totals."""
        return json_reply(self._log.summary())
