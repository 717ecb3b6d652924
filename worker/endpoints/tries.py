"""What became of all that a process asked of one model of one wiki: whether the endpoint fails, or an edit."""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf

from worker.domain.failures import Failure
from worker.lanes.circuits import Circuit

#: Failures in a row, which no other answer contradicts, that open a circuit.
TRIES_TO_OPEN = 5
#: Failures in a row that are the endpoint's, though they are of one revision only.
TRIES_OF_ONE = 3
#: Where nobody was served for so long, one refusal opens the circuit: it is nothing that passes in a moment.
SERVES_SECONDS = 10.0
#: Revisions that are kept in mind.
MOST_REVISIONS = 200


@dataclass(slots=True)
class _Tried:
    """A revision that failed, or was to be asked for while the circuit was open."""

    #: When it was asked for that failed first.
    failed_at: float = -inf
    times: int = 0
    #: Whether nobody had been served when it failed last; who is served a moment later changes nothing about that.
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
        """Keep *revision* in mind, and forget the one that has been for longest."""
        tried = self.revisions.pop(revision, None) or _Tried()
        self.revisions[revision] = tried
        if len(self.revisions) > MOST_REVISIONS:
            del self.revisions[next(iter(self.revisions))]
        return tried

    def is_outage(self, revision: int, failure: Failure) -> bool:
        """Whether it is the endpoint and not *revision* that fails: nobody was served since that was asked for first,
        and until it failed.

        Who is alone with an error of its own, or comes in vain for the first times, may be the cause of it.
        """
        tried = self.revisions.get(revision)
        return tried is not None and (tried.in_outage or self._is_out(tried, failure))

    def _is_out(self, tried: _Tried, failure: Failure) -> bool:
        if self.served_at >= tried.failed_at:
            return False
        return failure is Failure.OUTAGE or self._several_fail() or self.failures >= TRIES_OF_ONE

    def may_probe(self, revision: int) -> bool:
        """Whether *revision* may probe the open circuit now: the more often it failed, the later."""
        times = self.revisions[revision].times if revision in self.revisions else 0
        return self.circuit.until_probe() <= -min(times, TRIES_TO_OPEN)

    def _must_open(self, failure: Failure, now: float) -> bool:
        if failure is Failure.REFUSED and now - self.served_at > SERVES_SECONDS:
            return True
        # One revision that fails again and again is no reason to leave the others unasked; a question is about none.
        is_of_one = failure is Failure.TRANSIENT and bool(self.revisions) and not self._several_fail()
        return self.failures >= TRIES_TO_OPEN and not is_of_one

    def _several_fail(self) -> bool:
        failing = (tried.times and tried.failed_at > self.served_at for tried in self.revisions.values())
        return sum(map(bool, failing)) > 1
