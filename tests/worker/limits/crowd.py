"""Workers that share one endpoint's limits by a clock of our own; each keeps to what it is granted, as a pacer does."""

from dataclasses import dataclass, field
from typing import Any

from worker.endpoints.limits import Ceilings, Grant, Report, State, exchange

TIMEOUT_SECONDS = 2.0


def ceilings(**fields: Any) -> Ceilings:
    defaults: dict[str, Any] = {
        "requests_per_second": 100.0,
        "concurrency": 32,
        "slow_seconds": 1.0,
        "timeout_seconds": TIMEOUT_SECONDS,
    }
    return Ceilings(**(defaults | fields))


@dataclass(slots=True)
class Crowd:
    """The shared state, the time, and what was granted so far."""

    ceilings: Ceilings
    now: float = 1_000_000.0
    state: State = field(default_factory=State)
    #: When the granted requests are to start.
    starts: list[float] = field(default_factory=list)

    def ask(
        self,
        member: str = "a",
        report: Report | None = None,
        *,
        in_flight: int = 0,
        want: int = 0,
        waiting: int | None = None,
    ) -> Grant:
        """One exchange of *member* at this moment, which wants to start all that waits unless told otherwise."""
        asks: dict[str, Any] = {"in_flight": in_flight, "want": want, "now": self.now}
        asks["waiting"] = want if waiting is None else waiting
        grant = exchange(self.state, self.ceilings, member, report or Report(), **asks)
        self.starts += starts_of(grant, self.now)
        return grant


def starts_of(grant: Grant, now: float) -> list[float]:
    return [now + max(0.0, grant.delay + number * grant.interval) for number in range(grant.starts)]


def most_in_a_window(moments: list[float], seconds: float) -> int:
    """The most of *moments* that lie in any half-open window of so many seconds."""
    moments = sorted(moments)
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
