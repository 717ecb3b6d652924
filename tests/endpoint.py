"""The emulated scoring endpoint as tests see it: an own process with settable behaviour and a call log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import Processes, answers, free_port

#: Kept, since each new client costs as much processor time as a hundred requests.
_http = httpx.Client()


@dataclass(frozen=True, slots=True)
class EmulatedEndpoint:
    """Speaks to the emulator's own side channel."""

    url: str

    def reset(self) -> None:
        """Back to the settings it was started with, and an empty log."""
        _http.delete(f"{self.url}/_emulator/settings").raise_for_status()
        _http.delete(f"{self.url}/_emulator/calls").raise_for_status()

    def set(self, **settings: Any) -> None:
        """Change settings while it runs; None brings a default back."""
        _http.patch(f"{self.url}/_emulator/settings", json=settings).raise_for_status()

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = _http.get(f"{self.url}/_emulator/summary").json()
        return summary

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = _http.get(f"{self.url}/_emulator/calls").json()["calls"]
        return calls


@contextmanager
def emulated_endpoint(directory: Path) -> Iterator[EmulatedEndpoint]:
    port = free_port()
    with Processes(directory) as processes:
        child = processes.start(
            "scoring", [sys.executable, "-m", "worker.cli", "emulate", "scoring", "--any-wiki", "--port", str(port)]
        )
        processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        yield EmulatedEndpoint(f"http://127.0.0.1:{port}")
