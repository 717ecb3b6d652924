"""The emulated EventGate as tests see it: an own process with settable behaviour that keeps the events it took."""

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
class EmulatedEventGate:
    """Speaks to the emulator's own side channel."""

    url: str

    @property
    def events_url(self) -> str:
        """Where events are posted to."""
        return f"{self.url}/v1/events"

    def reset(self) -> None:
        """Back to the settings it was started with, and nothing taken."""
        _http.delete(f"{self.url}/_emulator/settings").raise_for_status()
        _http.delete(f"{self.url}/_emulator/events").raise_for_status()

    def set(self, **settings: Any) -> None:
        """Change settings while it runs; None brings a default back."""
        reply = _http.patch(f"{self.url}/_emulator/settings", json=settings)
        assert reply.is_success, reply.text

    def summary(self) -> dict[str, Any]:
        """The totals: requests, events, accepted, invalid, errors, distinct_ids, duplicates, streams, statuses …"""
        summary: dict[str, Any] = self._get("summary")
        return summary

    def events(self, stream: str | None = None) -> list[dict[str, Any]]:
        """The events taken, oldest first, each as often as it came."""
        params = {} if stream is None else {"stream": stream}
        events: list[dict[str, Any]] = self._get("events", **params)["events"]
        return events

    def ids(self) -> dict[str, int]:
        """How often each `meta.id` was taken."""
        ids: dict[str, int] = self._get("ids")["ids"]
        return ids

    def posts(self) -> list[dict[str, Any]]:
        """The requests, in the order in which they ended."""
        posts: list[dict[str, Any]] = self._get("posts")["posts"]
        return posts

    def _get(self, what: str, **params: str) -> Any:
        return _http.get(f"{self.url}/_emulator/{what}", params=params).raise_for_status().json()


@contextmanager
def emulated_eventgate(directory: Path) -> Iterator[EmulatedEventGate]:
    """An emulated EventGate that runs meanwhile."""
    port = free_port()
    with Processes(directory) as processes:
        child = processes.start(
            "eventgate", [sys.executable, "-m", "worker.cli", "emulate", "eventgate", "--port", str(port)]
        )
        processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        yield EmulatedEventGate(f"http://127.0.0.1:{port}")
