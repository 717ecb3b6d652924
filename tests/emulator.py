"""What emulated servers have in common for tests: a process of their own, and a side channel."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx

from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import Processes, answers, free_port

#: Kept, since each new client costs as much processor time as a hundred requests.
_http = httpx.Client(timeout=PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Emulator:
    """Speaks to the side channel of an emulated server at *url*."""

    url: str
    #: Name of the command that runs it, with its options.
    COMMAND: ClassVar[tuple[str, ...]]
    #: What it keeps, and forgets at a reset.
    KEPT: ClassVar[str]

    def reset(self) -> None:
        """Back to the settings it was started with, and nothing kept."""
        self._ask("DELETE", "settings")
        self._ask("DELETE", self.KEPT)

    def set(self, **settings: Any) -> None:
        """Change settings while it runs; None brings a default back."""
        self._ask("PATCH", "settings", json=settings)

    def _get(self, what: str, **params: str) -> Any:
        return self._ask("GET", what, params=params).json()

    def _ask(self, method: str, what: str, **request: Any) -> httpx.Response:
        reply = _http.request(method, f"{self.url}/_emulator/{what}", **request)
        assert reply.is_success, reply.text
        return reply


Emulated = TypeVar("Emulated", bound=Emulator)


@contextmanager
def emulated(kind: type[Emulated], directory: Path) -> Iterator[Emulated]:
    """An emulated server of that kind that runs meanwhile."""
    port, (name, *options) = free_port(), kind.COMMAND
    with Processes(directory) as processes:
        child = processes.start(
            name, [sys.executable, "-m", "worker.cli", "emulate", name, *options, "--port", str(port)]
        )
        processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        yield kind(f"http://127.0.0.1:{port}")
