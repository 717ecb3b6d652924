"""The emulated scoring endpoint as tests see it: an own process with settable behaviour and a call log."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.emulator import Emulator, emulated


@dataclass(frozen=True, slots=True)
class EmulatedEndpoint(Emulator):
    """A reset forgets the totals, too."""

    COMMAND: ClassVar = ("scoring", "--any-wiki")
    KEPT: ClassVar = "calls"

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self._get("summary")
        return summary

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """Those whose `sequence` is higher than *since*, in the order in which they ended."""
        calls: list[dict[str, Any]] = self._get("calls", since=str(since))["calls"]
        return calls


def emulated_endpoint(directory: Path) -> AbstractContextManager[EmulatedEndpoint]:
    """An emulated endpoint that runs meanwhile, and scores every wiki."""
    return emulated(EmulatedEndpoint, directory)
