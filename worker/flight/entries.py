"""What a tier knows of one score id, and the rules of the protocol for it. Pure: times are seconds on any one clock.

The process tier keeps entries in memory and the database tier in rows. Redis has the same rules in its scripts; one
state machine in the tests checks all three.
"""

from dataclasses import dataclass

from worker.domain.scores import Answer, Final, ScoreId
from worker.flight.tiers import Acquired, End, Lease, Lifetimes, is_kept, kept_seconds


@dataclass(slots=True)
class FlightEntry:
    """The lease, the cached answer and the handed-over answer of one id; each is valid until a time of its own."""

    score_id: ScoreId
    token: str | None = None
    leased_until: float = 0.0
    answer: Final | None = None
    answer_until: float = 0.0
    handed_over: Answer | None = None
    handed_over_by: str | None = None
    handed_over_until: float = 0.0

    @property
    def runs_out(self) -> float:
        """The time from which none of them is valid."""
        return max(self.leased_until, self.answer_until, self.handed_over_until)

    def cached(self, now: float) -> Final | None:
        return self.answer if self.answer_until > now else None

    def end_seen(self, now: float) -> End | None:
        """The cached answer or, if there is none, the one that is being handed over."""
        answer = self.cached(now)
        if answer is not None:
            return End(answer)
        if self.handed_over is not None and self.handed_over_until > now:
            return End(self.handed_over, self.handed_over_by)
        return None

    def acquire(self, acquired: Acquired, token: str, waited_for: str | None, lifetimes: Lifetimes, now: float) -> None:
        """Sort the id into *acquired*; takes the lease for *token* if it is free."""
        answer, end = self.cached(now), self.end_seen(now)
        if answer is not None:
            acquired.cached[self.score_id] = answer
        elif end is not None and end.holder == waited_for:
            acquired.handed_over[self.score_id] = end.answer
        elif self.token is not None and self.leased_until > now:
            if self.token == token:
                acquired.ours.append(self.score_id)
            else:
                acquired.under_way[self.score_id] = Lease(self.token, self.leased_until - now)
        else:
            self.token, self.leased_until = token, now + lifetimes.lease
            acquired.ours.append(self.score_id)

    def renew(self, token: str, lifetimes: Lifetimes, now: float) -> None:
        if self.is_free_for(token, now):
            self.token, self.leased_until = token, now + lifetimes.lease

    def end(self, answer: Answer, token: str, lifetimes: Lifetimes, now: float) -> Answer:
        """Keep or hand over *answer*; returns the answer that counts: one that was cached before, or this one."""
        standing = self.cached(now)
        if standing is not None:
            return standing
        if isinstance(answer, Final) and is_kept(self.score_id, answer):
            self.answer, self.answer_until = answer, now + kept_seconds(answer, lifetimes)
        elif self.is_free_for(token, now):
            self.handed_over, self.handed_over_by = answer, token
            self.handed_over_until = now + lifetimes.handover
        return answer

    def release(self, token: str) -> None:
        if self.token == token:
            self.token, self.leased_until = None, 0.0

    def is_free_for(self, token: str, now: float) -> bool:
        """Whether nobody but *token* has a valid lease."""
        return self.token in {token, None} or self.leased_until <= now
