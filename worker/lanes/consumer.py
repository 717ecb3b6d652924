"""What serves a lane: how much of it to claim, and what to do with what was claimed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from outbox import Claim, Dead, Lane
from worker.config.wiki import Wiki


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What follows from a batch of claims, once all are settled."""

    #: Lanes of the same wiki that got messages.
    promised: tuple[Lane, ...] = ()
    #: Upkeep that is due before its schedule, by the names of its tasks.
    prompts: tuple[str, ...] = ()
    #: Whether the lane can be served again at once; not while what it needs is unavailable.
    goes_on: bool = True


class Consumer(Protocol):
    """Serves one lane of any wiki."""

    @property
    def lane(self) -> Lane: ...

    @property
    def is_ordered(self) -> bool:
        """Whether messages are worked on in order, so that only one batch of a wiki is claimed at a time."""

    def needs(self, wiki: Wiki) -> Collection[str]:
        """Names of the endpoints or sinks of which a turn of *wiki* holds a place until it ends."""

    def claim_size(self, wiki: Wiki) -> int:
        """How many messages it makes sense to claim now; 0 while what is needed for them is unavailable."""

    def nothing_claimed(self) -> None:
        """Note that nothing was claimed after `claim_size` was asked."""

    async def work(self, wiki: Wiki, claims: Sequence[Claim]) -> Worked:
        """Work on *claims*, one or more of one batch, and settle every one of them."""


def claimed_too_often(claim: Claim) -> Dead:
    """The outcome of a message that was claimed again and again and never settled."""
    return Dead("attempts_exhausted", f"claimed {claim.attempt} times, and each worker died or failed over it")
