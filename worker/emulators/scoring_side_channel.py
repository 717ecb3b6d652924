"""The side channel of the emulated scoring endpoint: its settings, log and totals under `/_emulator/`."""

import json

from aiohttp import web
from pydantic import ValidationError

from worker.emulators.call_log import CallLog, encode
from worker.emulators.scoring_behaviour import Behaviour
from worker.emulators.scoring_settings import Document


class SideChannel:
    """Shows and changes what the endpoint does and has noted; always answers at once."""

    def __init__(self, behaviour: Behaviour, log: CallLog) -> None:
        self._behaviour = behaviour
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        """Return what the side channel serves."""
        return [
            web.get("/_emulator/settings", self.show_settings),
            web.patch("/_emulator/settings", self.change_settings),
            web.get("/_emulator/calls", self.show_calls),
            web.delete("/_emulator/calls", self.forget_calls),
            web.get("/_emulator/summary", self.show_summary),
        ]

    async def show_settings(self, _request: web.Request) -> web.Response:
        """Show the settings in force."""
        return reply(self._behaviour.settings.model_dump(mode="json"))

    async def change_settings(self, request: web.Request) -> web.Response:
        """Apply a JSON merge patch and show the settings; the sequence of failures starts anew from the seed."""
        try:
            patch = json.loads(await request.read())
            if not isinstance(patch, dict):
                return reply({"error": "Settings are changed with a JSON object."}, 400)
            self._behaviour.apply(self._behaviour.settings.changed(patch))
        except ValidationError as error:
            return reply({"error": _sentence(error)}, 400)
        except ValueError as error:
            return reply({"error": f"The settings are not JSON: {error}."}, 400)
        return await self.show_settings(request)

    async def show_calls(self, request: web.Request) -> web.Response:
        """List the kept calls, those after `since` if given."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return reply({"error": f"since must be a sequence number, not {since!r}."}, 400)
        self._log.flush()
        return reply({"calls": self._log.since(int(since))})

    async def forget_calls(self, _request: web.Request) -> web.Response:
        """Reset the log and the totals."""
        self._log.reset()
        return web.Response(status=204)

    async def show_summary(self, _request: web.Request) -> web.Response:
        """Show the totals."""
        return reply(self._log.summary())


def _sentence(error: ValidationError) -> str:
    problems = [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
    return f"The settings were not changed, because of {'; '.join(problems)}."


def reply(document: Document, status: int = 200, retry_after: str | None = None) -> web.Response:
    """Return a JSON response."""
    headers = None if retry_after is None else {"Retry-After": retry_after}
    return web.Response(body=encode(document).encode(), status=status, headers=headers, content_type="application/json")
