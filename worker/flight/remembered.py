"""Scores that this process has read from Redis before: what stands under a score id never changes.

They are still only given while their version is current, which is looked at once a second. An error is not remembered,
since the revision may come back.
"""

import time
from collections.abc import Callable, Iterable

from worker.domain.answers import Stored
from worker.flight.results import is_success, stored_answer

#: Scores that are remembered at least, and at most twice as many: some 20 MB.
FEWEST_REMEMBERED = 10_000
#: For so long at least, and at most twice as long.
REMEMBERED_SECONDS = 300.0


class Remembered:
    """The latest scores by result key, in two generations; used in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._young: dict[str, Stored] = {}
        self._old: dict[str, Stored] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, keys: Iterable[str]) -> list[Stored | None]:
        """What stands under each of *keys*, as far as it is remembered."""
        if self._clock() - self._since >= REMEMBERED_SECONDS:
            self._age()
        young, old = self._young.get, self._old.get
        return [young(key) or old(key) for key in keys]

    def read(self, key: str, value: bytes | None) -> Stored | None:
        """The cached answer that *value* is, if it is one; a score is remembered under *key*."""
        stored = None if value is None else stored_answer(value)
        if stored is not None and is_success(stored.value):
            if len(self._young) >= FEWEST_REMEMBERED:
                self._age()
            self._young[key] = stored
        return stored

    def _age(self) -> None:
        now = self._clock()
        passed = now - self._since
        self._old, self._young = {} if passed >= 2 * REMEMBERED_SECONDS else self._young, {}
        self._since = now - passed % REMEMBERED_SECONDS
