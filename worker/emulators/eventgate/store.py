"""The events that the emulated EventGate took and the requests it got: the newest of both, and totals over all."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from worker.emulators.documents import Document, encode
from worker.emulators.eventgate.judging import JudgedEvent, value_of


@dataclass(slots=True)
class Post:
    """One request; starts and ends are seconds, by the wall clock and by the monotonic one."""

    user_agent: str | None
    content_type: str
    start: float = field(default_factory=time.time)
    start_monotonic: float = field(default_factory=time.monotonic)
    end: float = 0.0
    end_monotonic: float = 0.0
    #: The status of the reply; None if the connection was closed before the reply was complete.
    status: int | None = None
    hasty: bool = False
    bytes: int = 0
    events: int = 0
    accepted: int = 0
    invalid: int = 0
    errors: int = 0
    #: The faults by which the whole request failed.
    faults: list[str] = field(default_factory=list)
    sequence: int = 0


COUNTED = ("events", "accepted", "invalid", "errors")


class EventStore:
    """Keeps the newest events and requests, and the ids of all events, so that repeated ones are counted."""

    def __init__(self, path: Path | None, kept: int) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._kept: deque[object] = deque(maxlen=kept)
        self._posts: deque[Post] = deque(maxlen=kept)
        self._sequence = 0
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget all events, requests and totals, those under way too, whose askers may be gone; the file is kept."""
        self._since = time.monotonic()
        self._kept.clear()
        self._posts.clear()
        self.ids: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self._totals = dict.fromkeys(COUNTED, 0)
        self._requests = self._bytes = 0
        self._statuses: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._peak = self.in_flight

    def begin(self) -> None:
        """Note that a request is in flight from now until `end`."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def end(self, post: Post) -> None:
        """Note a request that was answered, or whose connection was closed."""
        self.in_flight -= 1
        if post.start_monotonic < self._since:
            return
        self._sequence += 1
        post.sequence, post.end, post.end_monotonic = self._sequence, time.time(), time.monotonic()
        self._posts.append(post)
        self._requests += 1
        self._bytes += post.bytes
        if post.status is not None:
            self._statuses[str(post.status)] += 1
        self._faults.update(post.faults)

    def settle(self, post: Post, judged: Sequence[JudgedEvent]) -> None:
        """Keep the events that are taken, and count all; the file, if there is one, has them before this returns."""
        taken = [each.event for each in judged if each.status == "success"]
        post.events, post.accepted = len(judged), len(taken)
        post.invalid = sum(each.status == "invalid" for each in judged)
        post.errors = len(judged) - post.accepted - post.invalid
        if post.start_monotonic >= self._since:
            self._keep(post, taken)
        if self._file is not None:
            self._file.writelines(encode(event) + "\n" for event in taken)
            self._file.flush()

    def _keep(self, post: Post, taken: Sequence[object]) -> None:
        for name in COUNTED:
            self._totals[name] += getattr(post, name)
        for event in taken:
            self.streams[str(value_of(event, "meta", "stream"))] += 1
            if (identity := value_of(event, "meta", "id")) is not None:
                self.ids[str(identity)] += 1
        self._kept.extend(taken)

    def events(self, stream: str | None = None) -> list[object]:
        """The kept events, oldest first, those of one stream if given."""
        return [event for event in self._kept if stream in (None, value_of(event, "meta", "stream"))]

    def posts(self) -> list[Document]:
        """The kept requests, in the order in which they ended."""
        return [asdict(post) for post in self._posts]

    def summary(self) -> Document:
        """Return the totals since the start or the last reset."""
        return {
            "requests": self._requests,
            "bytes": self._bytes,
            **self._totals,
            "distinct_ids": len(self.ids),
            "duplicates": self.ids.total() - len(self.ids),
            "streams": dict(self.streams),
            "statuses": dict(self._statuses),
            "faults": dict(self._faults),
            "peak_concurrency": self._peak,
            "in_flight": self.in_flight,
        }

    def open(self) -> None:
        """Open the file to append to, if there is one; raises OSError when that is not possible."""
        if self._path is not None:
            self._file = self._path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
