"""Two worker processes on one machine, with all they need, and what a test does to see whether one waits for another.

Deadlines are a tenth of the defaults, and threads a quarter, so that what hangs would soon fill them. A message has two
attempts, so that an outage which burned them would soon show as dead letters.
"""

import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery import exceptions

from outbox import EDITS, Edit, Lane
from outbox.inspection import LaneStatus, inspect_lane
from tests.acceptance.running import Running, merged, running
from tests.builders import edits
from tests.event_files import lines_in
from tests.patience import WaitedInVain, until
from worker.domain.errors import EndpointUnavailable
from worker.domain.scores import ScoreId
from worker.lanes.rings import SCORE

#: For one step of progress; without a fault each takes a tenth of it, on a busy machine.
PATIENCE_SECONDS = 60
PROCESSES = 2

TENTHS: dict[str, Any] = {
    "poll_seconds": 1,
    "worker": {"threads": 8, "computing": 4, "rest_seconds": 0.05},
    "flight": {"call_seconds": 3, "lease_margin_seconds": 0.5, "patience_seconds": 0.5, "late_seconds": 0.2},
    "endpoint": {"timeout_seconds": 1.5, "scores_per_request": 10, "requests_per_second": 1000},
    "outbox": {"lease_seconds": 10, "batch_size": 20, "max_attempts": 2},
}


@dataclass(slots=True)
class Pair:
    """What runs, and how far it is."""

    here: Running
    #: (wiki, revision) of every edit that the file sink has.
    announced: set[tuple[str, int]] = field(default_factory=set)
    _read: int = 0
    _revisions: Iterator[int] = field(default_factory=lambda: itertools.count(1_000))

    def start(self) -> None:
        """Start both workers, and the beat."""
        self.here.start_worker()
        self.here.start_beat()

    def end(self) -> None:
        """End them at once; how they end in order is not what is tested here."""
        if "worker" not in self.here.children:
            return
        processes = self.here.worker_children()
        self.here.kill("worker")
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.here.kill("beat")

    def serves_first(self, *wikis: str) -> None:
        """Save an edit on each of *wikis*, and wait until all are announced: the workers have started."""
        saved = [edit for wiki in wikis for edit in self.save(wiki)]
        self.until(lambda: self.has_announced(saved), "the first edits")

    def save(self, wiki: str, count: int = 1, *, ring: bool = True, **fields: Any) -> list[Edit]:
        """Save *count* new edits on *wiki*."""
        saved = edits(count, first=next(self._revisions), wiki=wiki, **fields)
        for _ in range(count - 1):
            next(self._revisions)
        self.here.save(saved, ring=ring)
        return saved

    def has_announced(self, saved: list[Edit]) -> bool:
        """Whether the file sink has all of them."""
        self._look()
        return {(edit.wiki, edit.revision) for edit in saved} <= self.announced

    def count_announced(self, wiki: str) -> int:
        self._look()
        return sum(1 for its, _ in self.announced if its == wiki)

    def serves(self, *wikis: str, count: int = 3) -> None:
        """Save single edits, *count* on each of *wikis*, each as soon as the one before was announced."""
        for wiki in wikis * count:
            saved = self.save(wiki)
            self.until(lambda saved=saved: self.has_announced(saved), f"an edit of {wiki}")  # type: ignore[misc]

    def serves_all_of(self, saved: list[Edit]) -> None:
        self.until(lambda: self.has_announced(saved), f"{len(saved)} edits of {saved[0].wiki}")

    def answers(self, score_id: str) -> bool:
        """Whether a score on demand is had; it is asked for again where the machine had no time for the first call."""
        model = ScoreId.parse(score_id).model

        def is_had() -> bool:
            with suppress(exceptions.TimeoutError, EndpointUnavailable):
                return bool(self.here.client.send_task(SCORE, task_id=score_id).get(timeout=10)["model"] == model)
            return False

        self.until(is_had, f"the score {score_id}")
        return True

    def status(self, wiki: str, lane: Lane = EDITS) -> LaneStatus:
        with self.here.services.wiki(wiki).database.reading() as connection:
            return inspect_lane(connection, lane)

    def logged(self) -> list[dict[str, Any]]:
        """All lines of the workers' log that are ours, oldest first."""
        return self.here.logged()

    def log(self) -> str:
        return self.here.children["worker"].log.read_text()

    def until(self, condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for *condition* while edits are announced; fails with the workers' last words where it does not come."""
        try:
            until(condition, what, progress=self._progress, patience=seconds)
        except WaitedInVain as error:
            raise AssertionError(f"{error}\n{self.here.children['worker'].end_of_log(20)}") from error

    def _progress(self) -> int:
        self._look()
        return len(self.announced)

    def _look(self) -> None:
        new = lines_in(self.here.directory / "events", self._read)
        self._read += len(new)
        self.announced |= {(event["database"], event["rev_id"]) for event in map(json.loads, new.splitlines())}


@contextmanager
def pair(
    directory: Path,
    databases: Mapping[str, str],
    *,
    start: bool = True,
    before: Callable[[Running], None] = lambda _: None,
    base: Mapping[str, Any] = TENTHS,
    **changes: Any,
) -> Iterator[Pair]:
    """Two workers for the wikis in *databases*, with *changes* to *base*; *before* is done before they start."""
    with running(directory, databases, worker=False, beat=False, base=merged(base, changes)) as here:
        two = Pair(here)
        before(here)
        try:
            if start:
                two.start()
            yield two
        finally:
            two.end()
