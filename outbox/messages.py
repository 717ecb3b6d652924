"""A claimed message, and the ways in which a claim can end. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that is ours until its lease runs out."""

    #: Its id in the lane.
    message: int
    #: JSON as recorded; what it holds depends on the lane.
    payload: str
    #: How often it was claimed, this time included: 1 the first time. Claims of workers that died count.
    attempt: int
    #: Shared by all messages claimed together; every later write is fenced by it.
    token: str
    #: When, in UTC by the database's clock.
    claimed_at: datetime

    def __hash__(self) -> int:
        return self.message


@dataclass(frozen=True, slots=True)
class Delivered:
    """Done: the message is removed."""


@dataclass(frozen=True, slots=True)
class Released:
    """Nothing was done: the message is ready again in its old place, and the claim counts as no attempt.

    For a lane whose order matters, while its sink takes nothing.
    """

    error: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now: the message waits for *delay* and then becomes ready again.

    An outage is no message's fault, so it need not count as an attempt. A new *payload* can keep what was found out so
    far.
    """

    delay: timedelta
    #: Why; kept with the message, its beginning at least.
    error: str
    #: Whether the claim counts as an attempt.
    burns_attempt: bool = True
    #: What the message holds from now on; None: what it held.
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """Given up: the message moves to the dead letters, where it can be seen, requeued or discarded."""

    #: A short word to select by: "undecodable", "attempts_exhausted", "refused".
    reason: str
    #: The last error, for whoever looks at the letter.
    error: str


Outcome = Delivered | Released | RetryLater | Dead
