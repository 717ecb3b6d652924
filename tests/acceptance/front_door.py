"""The process `outpatrol web` beside workers that run already, and asking it."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import httpx

from tests.acceptance.running import Running
from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import answers, free_port

#: Longer than the door lets anybody wait.
LONGEST_SECONDS = 120


class Front:
    def __init__(self, here: Running) -> None:
        self.here = here
        self.port = free_port()
        command = [sys.executable, "-m", "worker.cli", "web", "--port", str(self.port)]
        self.child = here.processes.start("web", command, cwd=here.directory, environment=here.environment)
        here.processes.wait_until(self.child, lambda: answers(self.port), seconds=PATIENCE_SECONDS)
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=LONGEST_SECONDS)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def at_once(self, paths: Sequence[str]) -> list[httpx.Response]:
        async def ask() -> list[httpx.Response]:
            async with self.client(len(paths)) as client:
                return await asyncio.gather(*(client.get(path) for path in paths))

        return asyncio.run(ask())

    def client(self, connections: int) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=connections)
        return httpx.AsyncClient(base_url=self.url, limits=limits, timeout=LONGEST_SECONDS)

    def close(self) -> None:
        self.http.close()


def score_of(reply: httpx.Response, wiki: str, revision: int, model: str = "damaging") -> Any:
    return reply.json()[wiki]["scores"][str(revision)][model]["score"]["probability"]
