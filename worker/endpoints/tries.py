"""How a process' requests for one model of one wiki ended: whether the endpoint is at fault, or an edit."""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf

from worker.domain.failures import Failure
from worker.lanes.circuits import Circuit

#: How many failures in a row, without an answer in between, open a circuit.
TRIES_TO_OPEN = 5
#: How many failures in a row count as the endpoint's, even if all are of one revision.
TRIES_OF_ONE = 3
#: If nobody was served for this many seconds, one refusal opens the circuit.
SERVES_SECONDS = 10.0
#: How many revisions are remembered.
MOST_REVISIONS = 200


@dataclass(slots=True)
class _Tried:
    """A revision that failed, or that came while the circuit was open."""

    #: When the first request that failed was sent.
    failed_at: float = -inf
    times: int = 0
    #: Whether nobody had been served when it failed last; an answer a moment later does not change that.
    in_outage: bool = False


@dataclass(slots=True)
class Tries:
    """The tries at one model of one wiki, and its circuit."""

    circuit: Circuit
    #: Failures since somebody was served.
    failures: int = 0
    served_at: float = -inf
    ended_at: float = -inf
    opened_at: float = inf
    revisions: dict[int, _Tried] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.circuit.reason is not None

    def served(self, now: float) -> None:
        """Note that it answered."""
        self.failures, self.served_at, self.ended_at, self.opened_at = 0, now, now, inf
        self.circuit.served()

    def failed(self, revisions: Collection[int], failure: Failure, reason: str, *, began: float, now: float) -> None:
        """Note that *revisions*, asked for when it *began*, have no answer."""
        for revision in revisions:
            tried = self.note(revision)
            tried.times += 1
            if tried.times == 1:
                tried.failed_at = began
        self.failures, self.ended_at = self.failures + 1, now
        for known in filter(None, map(self.revisions.get, revisions)):
            known.in_outage = self._is_out(known, failure)
        if self.circuit.is_probing or (not self.is_open and self._must_open(failure, now)):
            self.opened_at = min(self.opened_at, now)
            self.circuit.failed(reason)

    def note(self, revision: int) -> _Tried:
        """Remember *revision*, and forget the one that was remembered longest."""
        tried = self.revisions.pop(revision, None) or _Tried()
        self.revisions[revision] = tried
        if len(self.revisions) > MOST_REVISIONS:
            del self.revisions[next(iter(self.revisions))]
        return tried

    def is_outage(self, revision: int, failure: Failure) -> bool:
        """Whether the endpoint is at fault and not *revision*.

        It is if nobody was served between the first request for the revision and its failure. A revision that alone
        has an error of its own, or that has failed only once or twice, may be the cause itself.
        """
        tried = self.revisions.get(revision)
        return tried is not None and (tried.in_outage or self._is_out(tried, failure))

    def _is_out(self, tried: _Tried, failure: Failure) -> bool:
        if self.served_at >= tried.failed_at:
            return False
        return failure is Failure.OUTAGE or self._several_fail() or self.failures >= TRIES_OF_ONE

    def may_probe(self, revision: int) -> bool:
        """Whether *revision* may probe the open circuit now: the more often it has failed, the later."""
        times = self.revisions[revision].times if revision in self.revisions else 0
        return self.circuit.until_probe() <= -min(times, TRIES_TO_OPEN)

    def _must_open(self, failure: Failure, now: float) -> bool:
        if failure is Failure.REFUSED and now - self.served_at > SERVES_SECONDS:
            return True
        # One revision that fails again and again is no reason to stop asking for the others; a question is about none.
        is_of_one = failure is Failure.TRANSIENT and bool(self.revisions) and not self._several_fail()
        return self.failures >= TRIES_TO_OPEN and not is_of_one

    def _several_fail(self) -> bool:
        failing = (tried.times and tried.failed_at > self.served_at for tried in self.revisions.values())
        return sum(map(bool, failing)) > 1
