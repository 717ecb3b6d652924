"""Claims that could not be released, since their database did not answer, or refused: they are as soon as it can be."""

import threading
from collections.abc import Mapping

from outbox import Claim, Outcome


class Unreturned:
    """What is left to settle, by wiki and lane, in this process' memory; if it is lost, the leases run out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[tuple[str, str], list[Mapping[Claim, Outcome]]] = {}

    def add(self, wiki: str, lane: str, outcomes: Mapping[Claim, Outcome]) -> None:
        """Keep *outcomes*, of the claims of one batch."""
        with self._lock:
            self._left.setdefault((wiki, lane), []).append(outcomes)

    def take(self, wiki: str, lane: str) -> list[Mapping[Claim, Outcome]]:
        """Take out what is left of that lane."""
        with self._lock:
            return self._left.pop((wiki, lane), [])

    def lanes(self) -> list[tuple[str, str]]:
        """The wikis and lanes with something left."""
        with self._lock:
            return list(self._left)
