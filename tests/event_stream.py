"""The emulated EventStreams as tests see it: an own process that tells what is posted, with settable faults."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import Processes, answers, free_port

RECENT_CHANGES = "mediawiki.recentchange"
PAGE_CHANGES = "mediawiki.page_change.v1"
#: Kept, since each new client costs as much processor time as a hundred requests.
_http = httpx.Client()


@dataclass(frozen=True, slots=True)
class EmulatedEventStream:
    """Speaks to the emulator's own side channel."""

    url: str

    def stream(self, *names: str) -> str:
        """The address of those streams; of recent changes if none is named."""
        return f"{self.url}/v2/stream/{','.join(names or (RECENT_CHANGES,))}"

    def reset(self) -> None:
        """Back to the settings it was started with; no events, nobody connected."""
        _http.delete(f"{self.url}/_emulator/settings").raise_for_status()
        _http.delete(f"{self.url}/_emulator/events").raise_for_status()

    def set(self, **settings: Any) -> None:
        """Change settings while it runs; None brings a default back."""
        reply = _http.patch(f"{self.url}/_emulator/settings", json=settings)
        assert reply.is_success, reply.text

    def send(self, *events: dict[str, Any], **where: str) -> None:
        """Tell events in `stream` (recent changes) of `datacentre` (eqiad)."""
        self._post({"events": events} | where)

    def send_lines(self, *lines: str) -> None:
        """Tell lines of data as they are."""
        self._post({"lines": lines})

    def _post(self, document: dict[str, Any]) -> None:
        reply = _http.post(f"{self.url}/_emulator/events", json=document)
        assert reply.is_success, reply.text

    def connections(self) -> list[dict[str, Any]]:
        """Who came, in order: number, streams, last_event_id, since, user_agent, status, sent, comments, is_open."""
        reply = _http.get(f"{self.url}/_emulator/connections").raise_for_status()
        connections: list[dict[str, Any]] = reply.json()["connections"]
        return connections


@contextmanager
def emulated_event_stream(directory: Path) -> Iterator[EmulatedEventStream]:
    """An emulated EventStreams that runs meanwhile."""
    port = free_port()
    with Processes(directory) as processes:
        child = processes.start(
            "stream", [sys.executable, "-m", "worker.cli", "emulate", "stream", "--port", str(port)]
        )
        processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        yield EmulatedEventStream(f"http://127.0.0.1:{port}")
