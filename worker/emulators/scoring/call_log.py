"""The log of calls of the emulated endpoint: when each began and ended, and which asked for the same score at once."""

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, TextIO

from worker.emulators.documents import Document, encode


@dataclass(slots=True)
class LoggedCall:
    """One logged call; starts and ends are seconds, by the wall clock and by the monotonic one."""

    kind: str
    host: str | None = None
    user_agent: str | None = None
    wiki: str | None = None
    models: tuple[str, ...] = ()
    revisions: tuple[int, ...] = ()
    start: float = field(default_factory=time.time)
    start_monotonic: float = field(default_factory=time.monotonic)
    end: float = 0.0
    end_monotonic: float = 0.0
    status: int = 500
    scores: int = 0
    #: Why it was refused before it began; none of its scores was ever in flight.
    refused: Literal["throttled", "over_capacity"] | None = None
    sequence: int = 0

    def document(self) -> Document:
        """Return all fields by name, as the log and the file show them."""
        return {name: getattr(self, name) for name in _CALL_FIELDS}


_CALL_FIELDS = tuple(each.name for each in fields(LoggedCall))


class CallLog:
    """The newest calls, the totals over all of them, and which score keys (wiki, model, revision) are in flight.

    Sequence numbers follow the order in which calls ended and go on through a reset.
    """

    def __init__(self, path: Path | None, kept_calls: int) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._kept: deque[LoggedCall] = deque(maxlen=kept_calls)
        self._unwritten: list[LoggedCall] = []
        self._sequence = 0
        self.in_flight = 0
        self._asked_now: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self.reset()

    def reset(self) -> None:
        """Forget all calls and totals; calls in flight stay so, but are not logged, and the file keeps its lines."""
        self._since = time.monotonic()
        self._kept.clear()
        self._asked_ever: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        counted = ("calls", "scores", "info_calls", "failures", "overlaps", "throttled", "over_capacity")
        self._totals = dict.fromkeys(counted, 0)
        self._peak = self.in_flight
        self._cpu_start = time.process_time()

    def begin(self, call: LoggedCall) -> None:
        """Note that the score keys of a call are in flight from now until `end`."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        overlaps = 0
        for model in call.models:
            key = (call.wiki or "", model)
            self._asked_ever[key].update(call.revisions)
            asked_now = self._asked_now[key]
            for revision in call.revisions:
                others = asked_now.get(revision, 0)
                overlaps += others > 0
                asked_now[revision] = others + 1
        self._totals["overlaps"] += overlaps

    def end(self, call: LoggedCall) -> None:
        """Log a call that has been answered: one that began, or one that was refused or not understood before that."""
        if call.refused is None and call.revisions and call.kind != "info":
            self._release(call)
        if call.start_monotonic < self._since:
            # Whoever asked may be gone, and who counts now is another.
            return
        call.end, call.end_monotonic = time.time(), time.monotonic()
        self._sequence += 1
        call.sequence = self._sequence
        self._kept.append(call)
        if self._path is not None:
            self._unwritten.append(call)
        if call.kind == "info":
            self._totals["info_calls"] += 1
            return
        self._totals["calls"] += 1
        self._totals["scores"] += call.scores
        self._totals["failures"] += call.status >= 400
        if call.refused is not None:
            self._totals[call.refused] += 1

    def _release(self, call: LoggedCall) -> None:
        self.in_flight -= 1
        for model in call.models:
            asked_now = self._asked_now[call.wiki or "", model]
            for revision in call.revisions:
                if asked_now[revision] == 1:
                    del asked_now[revision]
                else:
                    asked_now[revision] -= 1

    def since(self, sequence: int) -> list[Document]:
        """Return the kept calls with a higher sequence number, oldest first."""
        newer = []
        for call in reversed(self._kept):
            if call.sequence <= sequence:
                break
            newer.append(call.document())
        return newer[::-1]

    def summary(self) -> Document:
        """Return the totals since the start or the last reset.

        `failures` counts scoring calls answered with ≥ 400, `throttled` and `over_capacity` among them.
        """
        return {
            **self._totals,
            "distinct_scores": sum(map(len, self._asked_ever.values())),
            "peak_concurrency": self._peak,
            "in_flight": self.in_flight,
            "cpu_seconds": time.process_time() - self._cpu_start,
        }

    def open(self) -> None:
        """Open the file to append to, if there is one; raises OSError when that is not possible."""
        if self._path is not None:
            self._file = self._path.open("a", encoding="utf-8")

    def flush(self) -> None:
        """Append the calls not yet in the file, one JSON object a line."""
        if self._file is not None and self._unwritten:
            self._file.writelines(encode(call.document()) + "\n" for call in self._unwritten)
            self._file.flush()
            self._unwritten.clear()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        if self._file is not None:
            self._file.close()
