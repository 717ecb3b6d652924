"""The emulated EventStreams as tests see it: an own process that tells what is posted, with settable faults."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.emulator import Emulator, emulated

RECENT_CHANGES = "mediawiki.recentchange"
PAGE_CHANGES = "mediawiki.page_change.v1"


@dataclass(frozen=True, slots=True)
class EmulatedEventStream(Emulator):
    """A reset ends the connections, too."""

    COMMAND: ClassVar = ("stream",)
    KEPT: ClassVar = "events"

    def stream(self, *names: str) -> str:
        """The address of those streams; of recent changes if none is named."""
        return f"{self.url}/v2/stream/{','.join(names or (RECENT_CHANGES,))}"

    def send(self, *events: dict[str, Any], **where: str) -> None:
        """Tell events in `stream` (recent changes) of `datacentre` (eqiad)."""
        self._ask("POST", "events", json={"events": events} | where)

    def send_lines(self, *lines: str) -> None:
        """Tell lines of data as they are."""
        self._ask("POST", "events", json={"lines": lines})

    def connections(self) -> list[dict[str, Any]]:
        """Who came, in order: number, streams, last_event_id, since, user_agent, status, sent, comments, is_open."""
        connections: list[dict[str, Any]] = self._get("connections")["connections"]
        return connections


def emulated_event_stream(directory: Path) -> AbstractContextManager[EmulatedEventStream]:
    """An emulated EventStreams that runs meanwhile."""
    return emulated(EmulatedEventStream, directory)
