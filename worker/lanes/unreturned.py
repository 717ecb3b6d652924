"""Claims that could not be given back, since their database was not there: given back as soon as it is."""

import threading
from collections.abc import Mapping

from outbox import Claim, Outcome


class Unreturned:
    """What is left to settle, by wiki and lane, in this process' memory; should it be lost, the leases run out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[tuple[str, str], list[Mapping[Claim, Outcome]]] = {}

    def add(self, wiki: str, lane: str, outcomes: Mapping[Claim, Outcome]) -> None:
        """Keep *outcomes*, of claims that were all taken together."""
        with self._lock:
            self._left.setdefault((wiki, lane), []).append(outcomes)

    def take(self, wiki: str, lane: str) -> list[Mapping[Claim, Outcome]]:
        """What is left of that lane; it is the caller's now."""
        with self._lock:
            return self._left.pop((wiki, lane), [])

    def lanes(self) -> list[tuple[str, str]]:
        """The wikis and lanes of which something is left."""
        with self._lock:
            return list(self._left)
