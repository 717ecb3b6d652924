"""The protocol of single flight: what every tier offers, be it this process, Redis or the database.

A score id is *cached*, *under way* with somebody who holds its lease, or *ours* to compute. Rules of every tier:

- A lease belongs to a token. It lasts longer than the call, and is renewed meanwhile; a holder that does not renew it
has died.
- The token fences: only the holder may release, renew, or say how the call ended. The first answer that is stored
  counts, and a late holder gets it back; so all get the same answer.
- If a call leaves nothing to cache (a failure, or an answer of another model version), its end is handed over to those
  who waited for that holder, and to nobody else. They ask with the token they waited for.
- What listeners hear is a hint to look again, never the answer itself; a hint that is lost costs time.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from worker.domain.scores import Answer, Final, Score, ScoreId

#: Waits for a hint, at most this many seconds.
Listen = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody else's lease."""

    token: str
    #: Seconds until it runs out, unless it is renewed.
    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended."""

    answer: Answer
    #: The token of the holder that hands the answer over; None for a cached answer.
    holder: str | None = None


@dataclass(slots=True)
class Acquired:
    """The state of the ids that were wanted; each is in exactly one of these."""

    cached: dict[ScoreId, Final] = field(default_factory=dict)
    #: How the call ended whose holder we waited for.
    handed_over: dict[ScoreId, Answer] = field(default_factory=dict)
    under_way: dict[ScoreId, Lease] = field(default_factory=dict)
    ours: list[ScoreId] = field(default_factory=list)


class Tier(Protocol):
    """One place where leases and answers are kept. Its methods are quick and block; each id is handled atomically.

    Raises:
        TierUnavailable: Redis or the database does not answer; nothing was decided.
    """

    def acquire(self, ids: Sequence[ScoreId], token: str, waited_for: Mapping[ScoreId, str]) -> Acquired:
        """Take the leases of those of *ids*, all different, that are free; *waited_for* are the tokens waited for.

        Leases that *token* holds already stay its own: it may ask again because a reply was lost.
        """

    def renew(self, ids: Collection[ScoreId], token: str) -> None:
        """Lengthen our leases, and take back those that ran out and that nobody else has taken."""

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        """Keep or hand over *answers*, and release our leases of their ids and of *ids*.

        An id without an answer is only released, so that others may take it. Answers to ids that were not leased are
        kept, too. Returns the answers that count.
        """

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        """What is cached or being handed over for *ids*; takes no lease."""

    def listening(self, ids: Collection[ScoreId]) -> AbstractAsyncContextManager[Listen]:
        """Wait inside for the call for any of *ids* to end. Look again first: it may have ended before."""


class TierUnavailable(Exception):
    """What a tier needs does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long a tier keeps what it holds, in seconds."""

    lease: float
    result: float
    error: float
    #: Seconds in which those who waited can come and look.
    handover: float = 5.0


def is_kept(score_id: ScoreId, answer: Answer) -> bool:
    """Whether *answer* may be cached as that to *score_id*: it is final, and of the version that was asked for."""
    return isinstance(answer, Final) and answer.version == score_id.version


def kept_seconds(answer: Answer, lifetimes: Lifetimes) -> float:
    """How long a final answer is cached; an error is asked for again sooner."""
    return lifetimes.result if isinstance(answer, Score) else lifetimes.error


def by_true_version(answers: Iterable[tuple[ScoreId, Answer]]) -> dict[ScoreId, Answer]:
    """Those answers whose version is not the one that was asked for, under ids with their own version."""
    return {
        ScoreId(score_id.wiki, score_id.model, score_id.revision, answer.version): answer
        for score_id, answer in answers
        if isinstance(answer, Final) and answer.version != score_id.version
    }
