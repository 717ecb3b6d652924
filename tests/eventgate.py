"""The emulated EventGate as tests see it: an own process with settable behaviour that keeps the events it took."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.emulator import Emulator, emulated


@dataclass(frozen=True, slots=True)
class EmulatedEventGate(Emulator):
    """A reset forgets requests and totals, too."""

    COMMAND: ClassVar = ("eventgate",)
    KEPT: ClassVar = "events"

    @property
    def events_url(self) -> str:
        """Where events are posted to."""
        return f"{self.url}/v1/events"

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


def emulated_eventgate(directory: Path) -> AbstractContextManager[EmulatedEventGate]:
    """An emulated EventGate that runs meanwhile."""
    return emulated(EmulatedEventGate, directory)
