"""Who may use a database server: a limited number of transactions, and only one probe while the server serves nobody.

A transaction waits for a place only while those that hold the places make progress. If they hang, it is refused at
once, so that no thread waits for a server that does not answer.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from outbox.errors import DatabaseUnavailable, ServerGone
from outbox.server_errors import WIKI

#: A transaction that has held its place for this many seconds counts as hanging.
HANG_SECONDS = 2.0
#: Seconds between two probes of a server that serves nobody.
PROBE_SECONDS = 1.0


def rest_before(ages: Collection[float], most: int, hang: float = HANG_SECONDS) -> float | None:
    """How many seconds to wait for one of *most* places, which were held for *ages* seconds; 0 if one is free.

    None if all their holders hang, so that waiting makes no sense.
    """
    if len(ages) < most:
        return 0.0
    youngest = min(ages)
    return hang - youngest if youngest < hang else None


class Places:
    """The *most* places of one server; one wiki gets at most half, so that its locks do not hold up the others."""

    def __init__(
        self,
        most: int,
        *,
        patience: float,
        hang: float = HANG_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._share = most, max(1, most // 2)
        #: Nobody waits longer than this many seconds, even while the others make progress.
        self._patience, self._hang, self._clock = patience, hang, clock
        self._changed = threading.Condition()
        #: Number of a held place to the wiki that holds it, and since when.
        self._held: dict[int, tuple[str, float]] = {}
        self._numbers = 0

    @contextmanager
    def place(self, wiki: str) -> Iterator[None]:
        """Hold a place for *wiki*.

        Raises:
            DatabaseUnavailable: there is no place, and waiting would not help.
        """
        number = self._take(wiki)
        try:
            yield
        finally:
            with self._changed:
                del self._held[number]
                self._changed.notify_all()

    def held(self) -> Counter[str]:
        """How many places are held, by wiki."""
        with self._changed:
            return Counter(wiki for wiki, _ in self._held.values())

    def _take(self, wiki: str) -> int:
        with self._changed:
            until = self._clock() + self._patience
            while rest := self._rest(wiki, until):
                self._changed.wait(rest)
            self._numbers += 1
            self._held[self._numbers] = (wiki, self._clock())
            return self._numbers

    def _rest(self, wiki: str, until: float) -> float:
        now = self._clock()
        all_ages = [now - since for _, since in self._held.values()]
        own_ages = [now - since for holder, since in self._held.values() if holder == wiki]
        rests = [rest_before(all_ages, self._most, self._hang), rest_before(own_ages, self._share, self._hang)]
        known = [rest for rest in rests if rest is not None]
        if len(known) < len(rests) or (any(known) and now >= until):
            whose = "the wiki's" if rests[0] is not None else "all"
            raise DatabaseUnavailable(
                f"{wiki}: {whose} places with its database server are taken, the longest for {max(all_ages):.0f} s; "
                "see what holds them up there (SHOW PROCESSLIST)"
            )
        rest = max(known)
        return min(rest, max(0.001, until - now)) if rest else 0.0


class ServerCircuit:
    """Open while a server serves nobody: then every caller is refused at once, except one probe at a time.

    Pure, except for its lock and its clock. *tell* is called with True when it opens and with False when it closes.
    """

    def __init__(
        self,
        tell: Callable[[bool], None] = lambda _: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        probe: float = PROBE_SECONDS,
    ) -> None:
        self._tell, self._clock, self._probe = tell, clock, probe
        self._lock = threading.Lock()
        #: Why it is open, with `WIKI` for the wiki that asks; empty while it is closed.
        self._reason = ""
        self._probing = False
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        return bool(self._reason)

    @property
    def reason(self) -> str:
        return self._reason

    @contextmanager
    def admitted(self, wiki: str) -> Iterator[None]:
        """Use the server inside this context; report the result with `opened` or `closed`.

        Raises:
            ServerGone: it is open, and no probe is due.
        """
        is_probe = self._admit(wiki)
        try:
            yield
        finally:
            if is_probe:
                with self._lock:
                    self._probing = False

    def opened(self, reason: str) -> None:
        """Note that the server serves nobody, and why."""
        with self._lock:
            is_news, self._reason = not self._reason, reason
            self._next_probe = self._clock() + self._probe
        if is_news:
            self._tell(True)

    def closed(self) -> None:
        """Note that it served."""
        # Read without the lock, since nearly always it is closed already.
        if not self._reason:
            return
        with self._lock:
            is_news, self._reason = bool(self._reason), ""
        if is_news:
            self._tell(False)

    def _admit(self, wiki: str) -> bool:
        if not self._reason:
            return False
        with self._lock:
            if not self._reason:
                return False
            if self._probing or self._clock() < self._next_probe:
                raise ServerGone(f"{wiki}: {self._reason.replace(WIKI, wiki)}")
            self._probing = True
            return True
