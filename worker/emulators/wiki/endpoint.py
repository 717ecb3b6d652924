"""The emulated wiki over HTTP: `api.php` and `rest.php` under `/w`, pages and settings under `/_emulator/`.

It shares no code with the client of a wiki's API, so that a misreading can't be made on both sides at once.
"""

import asyncio
import json
import random
from collections.abc import Callable

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from worker.emulators import serving
from worker.emulators.documents import Document
from worker.emulators.side_channel import SettingsChannel, json_reply
from worker.emulators.wiki.action_api import ApiRefusal, query_reply
from worker.emulators.wiki.pages import Pages, WikiPage, spelt
from worker.emulators.wiki.settings import EmulatedWikiSettings

__all__ = ["EmulatedWikiSettings", "make_app", "serve"]

WHO_ARE_YOU = "Please set a user-agent and respect our robot policy https://w.wiki/4wJS.\n"
POSTED = TypeAdapter(list[WikiPage])


class EmulatedWikiService:
    """Answers calls of both APIs after the set latency, and refuses as its settings say."""

    def __init__(self, settings: EmulatedWikiSettings) -> None:
        self.settings = settings
        self.pages = Pages()
        self.calls: list[Document] = []
        self.apply(settings)

    def apply(self, settings: EmulatedWikiSettings) -> None:
        """Behave as *settings* say from now on."""
        self.settings = settings
        self._chance = random.Random(settings.seed)  # noqa: S311 - must be reproducible

    async def action_api(self, request: web.Request) -> web.Response:
        """Answer a call of the action API."""
        params = (
            dict(request.query) if request.method == "GET" else {k: str(v) for k, v in (await request.post()).items()}
        )
        self.calls.append({"path": request.path, "params": params, "user_agent": request.headers.get("User-Agent")})
        if (refused := await self._refused(request)) is not None:
            return refused
        try:
            return json_reply(query_reply(params, self.pages, self.settings))
        except ApiRefusal as refusal:
            return web.json_response(refusal.document, headers=refusal.headers)

    async def page(self, request: web.Request) -> web.Response:
        """Answer a call of the REST API about a page."""
        title = request.match_info["title"]
        self.calls.append({"path": request.path, "params": {}, "user_agent": request.headers.get("User-Agent")})
        if (refused := await self._refused(request)) is not None:
            return refused
        right = spelt(title)
        page = None if right is None else self.pages.titled(right)
        if right is None or page is None:
            return _rest_error(404, "rest-nonexistent-title", f"The specified title ({title}) does not exist")
        key = right.replace(" ", "_")
        if key != title:
            return web.Response(status=301, headers={"Location": f"/w/rest.php/v1/page/{key}"})
        return json_reply(
            {
                "id": page.page_id,
                "key": key,
                "title": right,
                "latest": {"id": page.revisions[-1], "timestamp": "2026-01-01T00:00:00Z"},
                "content_model": page.content_model,
                "license": {"url": "https://creativecommons.org/licenses/by-sa/4.0/", "title": "CC BY-SA 4.0"},
                "html_url": f"https://wiki.invalid/w/rest.php/v1/page/{key}/html",
            }
        )

    async def no_such_path(self, request: web.Request) -> web.Response:
        """Answer a call of the REST API that has no handler."""
        path = request.path.removeprefix("/w/rest.php")
        return _rest_error(
            404, "rest-no-match", f"The requested relative path ({path}) did not match any known handler"
        )

    async def put_pages(self, request: web.Request) -> web.Response:
        """Add pages, a list of `{title, page_id, revisions}`."""
        try:
            pages = POSTED.validate_json(await request.read())
        except ValidationError as error:
            return json_reply({"error": str(error)}, 400)
        for page in pages:
            self.pages.put(page)
        return json_reply({"pages": len(pages)}, 201)

    async def forget(self, _request: web.Request) -> web.Response:
        """Forget pages and calls."""
        self.pages.clear()
        self.calls.clear()
        return web.Response(status=204)

    async def show_calls(self, _request: web.Request) -> web.Response:
        """List the calls."""
        return json_reply({"calls": self.calls})

    async def _refused(self, request: web.Request) -> web.Response | None:
        settings = self.settings
        jitter = settings.latency_jitter_ms * self._chance.uniform(-1, 1)
        await asyncio.sleep(max(0.0, settings.latency_ms + jitter) / 1000)
        if not request.headers.get("User-Agent"):
            return web.Response(text=WHO_ARE_YOU, status=403)
        if self._chance.random() < settings.failures.rate:
            after = settings.failures.retry_after
            headers = None if after is None else {"Retry-After": after}
            return web.Response(text="Our servers are busy.\n", status=settings.failures.status, headers=headers)
        return None


def _rest_error(status: int, key: str, message: str) -> web.Response:
    reason = {404: "Not Found"}.get(status, "")
    body = {"errorKey": key, "messageTranslations": {"en": message}, "httpCode": status, "httpReason": reason}
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


def make_app(settings: EmulatedWikiSettings) -> web.Application:
    """Return the wiki as an application."""
    wiki = EmulatedWikiService(settings)
    app = web.Application()
    app.add_routes(
        [
            web.get("/w/api.php", wiki.action_api),
            web.post("/w/api.php", wiki.action_api),
            web.get("/w/rest.php/v1/page/{title}/bare", wiki.page),
            web.get("/w/rest.php/v1/page/{title}", wiki.page),
            web.get("/w/rest.php/{path:.*}", wiki.no_such_path),
            *SettingsChannel(wiki).routes(),
            web.post("/_emulator/pages", wiki.put_pages),
            web.delete("/_emulator/pages", wiki.forget),
            web.get("/_emulator/calls", wiki.show_calls),
        ]
    )
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    settings: EmulatedWikiSettings | None = None,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; must be called in the main thread.

    Port 0 takes a free one; *ready* is called with the port once the server listens. Raises OSError for a port in use.
    """
    serving.run(make_app(settings or EmulatedWikiSettings()), host, port, ready)
