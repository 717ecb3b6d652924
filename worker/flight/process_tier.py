"""The tier in the memory of one process, shared by its threads and coroutines; it is asked first."""

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from worker.domain.scores import Answer, ScoreId
from worker.flight.entries import FlightEntry
from worker.flight.tiers import Acquired, End, Lifetimes, Listen

#: Entries that have run out are deleted only if there are at least this many.
FEWEST_TO_TIDY = 5_000


class ProcessTier:
    """Leases and answers in memory; safe between threads."""

    def __init__(self, lifetimes: Lifetimes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetimes = lifetimes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[ScoreId, FlightEntry] = {}
        self._tidy_at = FEWEST_TO_TIDY
        self._listeners: dict[ScoreId, set[Callable[[], None]]] = defaultdict(set)

    def acquire(self, ids: Sequence[ScoreId], token: str, waited_for: Mapping[ScoreId, str]) -> Acquired:
        acquired, now = Acquired(), self._clock()
        with self._lock:
            self._tidy(now)
            for score_id in ids:
                self._entry(score_id).acquire(acquired, token, waited_for.get(score_id), self._lifetimes, now)
        return acquired

    def renew(self, ids: Collection[ScoreId], token: str) -> None:
        now = self._clock()
        with self._lock:
            for score_id in ids:
                self._entry(score_id).renew(token, self._lifetimes, now)

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        now = self._clock()
        with self._lock:
            standing = {
                score_id: self._entry(score_id).end(answer, token, self._lifetimes, now)
                for score_id, answer in answers.items()
            }
            for score_id in {*ids, *answers}:
                self._entry(score_id).release(token)
            hints = [hint for score_id in {*ids, *answers} for hint in self._listeners.get(score_id, ())]
        for hint in hints:
            hint()
        return standing

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        now = self._clock()
        with self._lock:
            seen = {score_id: self._entry(score_id).end_seen(now) for score_id in ids}
        return {score_id: end for score_id, end in seen.items() if end is not None}

    @contextlib.asynccontextmanager
    async def listening(self, ids: Collection[ScoreId]) -> AsyncIterator[Listen]:
        loop, heard = asyncio.get_running_loop(), asyncio.Event()

        def hint() -> None:
            # A listener whose loop has ended does not need it.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(heard.set)

        async def listen(seconds: float) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), seconds)
            heard.clear()

        with self._lock:
            for score_id in ids:
                self._listeners[score_id].add(hint)
        try:
            yield listen
        finally:
            with self._lock:
                for score_id in ids:
                    self._listeners[score_id].discard(hint)
                    if not self._listeners[score_id]:
                        del self._listeners[score_id]

    def _entry(self, score_id: ScoreId) -> FlightEntry:
        entry = self._entries.get(score_id)
        if entry is None:
            entry = self._entries[score_id] = FlightEntry(score_id)
        return entry

    def _tidy(self, now: float) -> None:
        """Delete entries that have run out; called so seldom that the cost for each entry is small."""
        if len(self._entries) >= self._tidy_at:
            self._entries = {score_id: entry for score_id, entry in self._entries.items() if entry.runs_out > now}
            self._tidy_at = max(FEWEST_TO_TIDY, 2 * len(self._entries))
