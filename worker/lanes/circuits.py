"""Whether something is asked at all: while it serves nobody, its circuit is open, and only probes are sent.

Kept in this process' memory: each process finds out for itself, and no count can leak when one dies.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from worker.config.telemetry import log

FIRST_OPEN_SECONDS = 1.0
LONGEST_OPEN_SECONDS = 8.0
#: Seconds after which a probe that has not ended is given up, and another one sent.
PROBE_SECONDS = 60.0


@dataclass(slots=True)
class _State:
    reason: str | None = None
    openings: int = 0
    open_until: float = 0.0
    probing_until: float = 0.0


class Circuit:
    """The circuit of one thing, called *name* in the log. Safe between threads."""

    def __init__(
        self,
        name: str,
        *,
        first_seconds: float = FIRST_OPEN_SECONDS,
        longest_seconds: float = LONGEST_OPEN_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._first = first_seconds
        self._longest = longest_seconds
        self._probe = probe_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._state = _State()

    @property
    def reason(self) -> str | None:
        """Why it is open; None where it is closed."""
        return self._state.reason

    def may_ask(self) -> bool:
        """Whether to ask now: always while closed; while open only one probe at a time, after a pause.

        The caller reports the end with `served`, `failed` or `not_asked`.
        """
        with self._lock:
            state, now = self._state, self._clock()
            if state.reason is None:
                return True
            if now < max(state.open_until, state.probing_until):
                return False
            state.probing_until = now + self._probe
            return True

    def is_open(self) -> bool:
        """Whether nothing is asked now; takes no probe."""
        with self._lock:
            state = self._state
            return state.reason is not None and self._clock() < max(state.open_until, state.probing_until)

    @property
    def is_probing(self) -> bool:
        """Whether it is open and a probe is under way."""
        return self._state.reason is not None and self._clock() < self._state.probing_until

    def until_probe(self) -> float:
        """Seconds until it may be asked again; negative if that moment has passed."""
        with self._lock:
            state = self._state
            return max(state.open_until, state.probing_until) - self._clock()

    def served(self) -> None:
        """Close it: it was asked and served."""
        if self._state.reason is None:
            # As nearly always; nothing is counted while it is closed.
            return
        with self._lock:
            was_open, self._state = self._state.reason is not None, _State()
        if was_open:
            log.info("circuit_closed", of=self._name)

    def failed(self, reason: str) -> None:
        """Open it, or keep it open for longer: it was asked and did not serve."""
        with self._lock:
            state, now = self._state, self._clock()
            was_open = state.reason is not None
            state.reason, state.probing_until = reason, 0.0
            state.open_until = now + min(self._longest, self._first * 2.0**state.openings)
            state.openings = min(state.openings + 1, 30)
        if not was_open:
            log.warning("circuit_opened", of=self._name, reason=reason, effect="it is asked again now and then")

    def not_asked(self) -> None:
        """Give the probe back: there was nothing to ask for."""
        with self._lock:
            self._state.probing_until = 0.0
