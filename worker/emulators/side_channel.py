"""What the side channels of all emulators share: the settings under `/_emulator/settings`, and replies in JSON."""

import json
from typing import Generic, Protocol, TypeVar

from aiohttp import web
from pydantic import ValidationError

from worker.emulators.documents import encode
from worker.emulators.settings import CommonSettings

SomeSettings = TypeVar("SomeSettings", bound=CommonSettings)


class Settable(Protocol[SomeSettings]):
    """A part of an emulator that behaves as its settings say."""

    settings: SomeSettings

    def apply(self, settings: SomeSettings) -> None:
        """Behave as *settings* say from now on."""


class SettingsChannel(Generic[SomeSettings]):
    """Shows, changes and resets the settings in force; always answers at once."""

    def __init__(self, settable: Settable[SomeSettings]) -> None:
        self._settable = settable
        self._at_start = settable.settings

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of this part of the side channel."""
        return [
            web.get("/_emulator/settings", self.show),
            web.patch("/_emulator/settings", self.change),
            web.delete("/_emulator/settings", self.reset),
        ]

    async def show(self, _request: web.Request) -> web.Response:
        """Show the settings in force."""
        return json_reply(self._settable.settings.model_dump(mode="json"))

    async def change(self, request: web.Request) -> web.Response:
        """Apply a JSON merge patch and show the settings; the sequence of failures starts again from the seed."""
        try:
            patch = json.loads(await request.read())
            if not isinstance(patch, dict):
                return json_reply({"error": "Settings are changed with a JSON object."}, 400)
            self._settable.apply(self._settable.settings.changed(patch))
        except ValidationError as error:
            return json_reply({"error": _sentence(error)}, 400)
        except ValueError as error:
            return json_reply({"error": f"The settings are not JSON: {error}."}, 400)
        return await self.show(request)

    async def reset(self, request: web.Request) -> web.Response:
        """Restore the settings that the emulator was started with, and show them."""
        self._settable.apply(self._at_start)
        return await self.show(request)


def _sentence(error: ValidationError) -> str:
    problems = [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
    return f"The settings were not changed, because of {'; '.join(problems)}."


def json_reply(document: object, status: int = 200, retry_after: str | None = None) -> web.Response:
    """Return a JSON response."""
    headers = None if retry_after is None else {"Retry-After": retry_after}
    return web.Response(body=encode(document).encode(), status=status, headers=headers, content_type="application/json")
