"""Single edits that come in a trickle, and how long each takes from its commit to its event in the file."""

import json
import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outbox import EDITS, record
from tests.builders import edits
from tests.event_files import lines_in
from worker.bootstrap import Services

#: Edits a second, of all wikis that are measured together, unless more are wanted.
PER_SECOND = 4.0
LOOK_SECONDS = 0.005
RECORDED_AT_ONCE = 1000
#: Earlier revisions are never as high.
FIRST_REVISION = 10_000_000

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from commit to event for each edit; infinite if no event came."""

    edits: int
    missing: int
    p50: float
    p95: float
    p99: float


def latencies_of(seconds: Sequence[float]) -> Latencies:
    """The summary of *seconds*; infinite ones count as missing."""
    ordered = sorted(seconds)

    def percentile(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    missing = sum(1 for each in ordered if math.isinf(each))
    return Latencies(len(ordered), missing, percentile(0.5), percentile(0.95), percentile(0.99))


@dataclass(slots=True)
class SingleEdits:
    """Writes edits to the wikis of *services*, and watches the *directory* of the files that get their events."""

    services: Services
    directory: Path
    seen: dict[Key, float] = field(default_factory=dict)
    committed: dict[Key, float] = field(default_factory=dict)
    _next: int = FIRST_REVISION
    _ends: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def close(self) -> None:
        self._ends.set()
        self._watcher.join()

    def commit(self, wiki: str, count: int = 1, *, rings: bool = True) -> list[Key]:
        """Record *count* edits on *wiki*, up to 1,000 in a transaction, and ring."""
        keys = []
        for done in range(0, count, RECORDED_AT_ONCE):
            some = edits(min(RECORDED_AT_ONCE, count - done), first=self._next, wiki=wiki)
            self._next += len(some)
            with self.services.wiki(wiki).database.transaction() as session:
                record(session, *some)
            now = time.monotonic()
            keys += [(wiki, edit.revision) for edit in some]
            self.committed |= dict.fromkeys(((wiki, edit.revision) for edit in some), now)
        if rings:
            self.services.doorbell.turn(wiki, EDITS.name)
        return keys

    def trickle(
        self,
        wikis: Sequence[str],
        seconds: float,
        *,
        per_second: float = PER_SECOND,
        grace: float = 30,
        skew: float | None = None,
    ) -> Latencies:
        """Single edits on *wikis* for *seconds*, *per_second* of them on average: in turn, or as *skew* says.

        With a *skew* a wiki is chosen by chance, the n-th with a weight of 1/n to that power.

        An edit without an event *grace* seconds later is missing.
        """
        chance = random.Random(0)
        weights = None if skew is None else [number**-skew for number in range(1, len(wikis) + 1)]
        keys: list[Key] = []
        due = time.monotonic()
        ends = due + seconds
        while due < ends:
            keys += self.commit(chance.choices(wikis, weights)[0] if weights else wikis[len(keys) % len(wikis)])
            # Where a commit was slow, those that are due come at once after it, as from people who do not wait.
            due += chance.uniform(0, 2 / per_second)
            time.sleep(max(0.0, due - time.monotonic()))
        self.wait(keys, grace)
        return latencies_of([self.latency(key) for key in keys])

    def latency(self, key: Key) -> float:
        return self.seen.get(key, math.inf) - self.committed[key]

    def wait(self, keys: Sequence[Key], seconds: float) -> bool:
        """Wait until all of *keys* have events, for *seconds* at most; returns whether they do."""
        deadline = time.monotonic() + seconds
        while missing := [key for key in keys if key not in self.seen]:
            if time.monotonic() > deadline:
                return False
            keys = missing
            time.sleep(LOOK_SECONDS)
        return True

    def count(self, wiki: str) -> int:
        """Edits of *wiki* that were committed here and have events."""
        return sum(1 for key in list(self.seen) if key[0] == wiki and key in self.committed)

    def _watch(self) -> None:
        read = 0
        while not self._ends.wait(LOOK_SECONDS):
            new, now = lines_in(self.directory, read), time.monotonic()
            read += len(new)
            for event in map(json.loads, new.splitlines()):
                self.seen.setdefault((event["database"], event["rev_id"]), now)
