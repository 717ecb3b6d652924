"""Why there is no answer, and what follows from that: the one table of failures. Pure.

| what happened                             | it is     | burns an attempt           | then                         |
| ----------------------------------------- | --------- | -------------------------- | ---------------------------- |
| revision gone, not scorable; other 4xx    | final     |                            | a `ScoreError`, in the event |
| 500; not the reply that was asked for     | transient | yes                        | backoff                      |
| no reply in time; 408, 504                | late      | unless all waited in vain  | backoff; opens the circuit   |
| no connection; 502, 503                   | outage    | unless nobody was served   | backoff; opens the circuit   |
| 429; 503 with Retry-After; our own limits | throttled | no                         | not before Retry-After       |
| somebody else is computing it             | elsewhere | no                         | soon                         |
| kills its worker; can't be read           | poison    | counted when it is claimed | dead letter                  |
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

#: An endpoint that asks for a longer pause is asked again after this one.
LONGEST_PAUSE_SECONDS = 300.0


class Failure(StrEnum):
    """The kinds of failure after which asking again may help."""

    TRANSIENT = "transient"
    LATE = "late"
    OUTAGE = "outage"
    THROTTLED = "throttled"
    ELSEWHERE = "elsewhere"


def failure_of_status(status: int, *, says_when: bool = False) -> Failure | None:
    """What a reply with *status* (300 or more) is; None if it is final.

    *says_when*: whether the reply has a Retry-After.
    """
    if status == 429 or (status == 503 and says_when):
        return Failure.THROTTLED
    if status in {408, 504}:
        return Failure.LATE
    if 400 <= status < 500:
        return None
    return Failure.TRANSIENT if status == 500 else Failure.OUTAGE


def is_outage(failures: Iterable[Failure | None], *, revisions: int) -> bool:
    """Whether nobody was served, and not because of what was asked.

    *failures* has an entry for each score that was asked for, None if it was answered.
    """
    kinds = set(failures)
    nobody = {Failure.OUTAGE, Failure.THROTTLED}
    return bool(kinds) and (kinds <= nobody or (revisions > 1 and kinds <= nobody | {Failure.LATE}))


def burns_attempt(failure: Failure, *, outage: bool) -> bool:
    """Whether *failure* counts as an attempt of the edit; *outage*: nothing else was served at the time."""
    if failure in {Failure.THROTTLED, Failure.ELSEWHERE}:
        return False
    return failure is Failure.TRANSIENT or not outage


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After of either form, 0 to `LONGEST_PAUSE_SECONDS`; None if it can't be read.

    Source of the forms: RFC 9110, section 10.2.3.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
