"""The emulated wiki's API as tests see it, served by a thread of their own process."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import httpx
from aiohttp import web

from tests.patience import PATIENCE_SECONDS
from worker.emulators.wiki.endpoint import EmulatedWikiSettings, make_app


@dataclass(frozen=True, slots=True)
class EmulatedWiki:
    """Speaks to the emulator's own side channel."""

    #: What belongs into `api_url`.
    url: str

    def has(self, title: str, page_id: int, revisions: Sequence[int]) -> None:
        page = {"title": title, "page_id": page_id, "revisions": list(revisions)}
        self._ask("POST", "pages", [page])

    def set(self, **settings: Any) -> None:
        """Change settings while it runs; None brings a default back."""
        self._ask("PATCH", "settings", settings)

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self._ask("GET", "calls").json()["calls"]
        return calls

    def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        url = f"{self.url.removesuffix('/w')}/_emulator/{path}"
        return httpx.request(method, url, json=body, trust_env=False, timeout=PATIENCE_SECONDS).raise_for_status()


@contextmanager
def emulated_wiki(**settings: Any) -> Iterator[EmulatedWiki]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    runner = web.AppRunner(make_app(EmulatedWikiSettings(**settings)), access_log=None, shutdown_timeout=0.01)
    try:
        yield EmulatedWiki(asyncio.run_coroutine_threadsafe(_start(runner), loop).result())
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(runner: web.AppRunner) -> str:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return f"http://{host}:{port}/w"
