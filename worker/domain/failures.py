"""Why there is no answer, and what follows from that: the one table of failures. Pure.

| what happened                             | it is     | burns an attempt           | then                         |
| ----------------------------------------- | --------- | -------------------------- | ---------------------------- |
| an error about the revision, in words of  | final     |                            | a `ScoreError`, in the event |
| the endpoint's own that name it           |           |                            |                              |
| any other error of one score; 500; not    | transient | yes                        | backoff                      |
| the reply that was asked for              |           |                            |                              |
| 3xx, 4xx that name no revision; a page    | refused   | no                         | a slow backoff; opens the    |
| in place of scores                        |           |                            | circuit, and is an alarm     |
| no reply in time; 408, 504                | late      | unless all waited in vain  | backoff; opens the circuit   |
| no connection; 502, 503                   | outage    | unless nobody was served   | backoff; opens the circuit   |
| 429; 503 with Retry-After; our own limits | throttled | no                         | not before Retry-After       |
| somebody else is computing it             | elsewhere | no                         | soon                         |
| kills its worker; can't be read           | poison    | counted when it is claimed | dead letter                  |

Which words are about a revision, and in which spelling: `worker/endpoints/refusals.py`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

#: What was refused for no fault of its own comes back no sooner than after half of this, and no later than after it.
REFUSED_SECONDS = 30.0
#: No endpoint may send us away for longer; it is asked again then.
LONGEST_PAUSE_SECONDS = 300.0


class Failure(StrEnum):
    """The kinds of failure after which asking again may help."""

    TRANSIENT = "transient"
    REFUSED = "refused"
    LATE = "late"
    OUTAGE = "outage"
    THROTTLED = "throttled"
    ELSEWHERE = "elsewhere"


def failure_of_status(status: int, *, says_when: bool = False) -> Failure:
    """What a reply with *status* (300 or more) is, unless it says that it is about a revision.

    *says_when*: whether the reply has a Retry-After.
    """
    if status == 429 or (status == 503 and says_when):
        return Failure.THROTTLED
    if status in {408, 504}:
        return Failure.LATE
    if status < 500:
        return Failure.REFUSED
    return Failure.TRANSIENT if status == 500 else Failure.OUTAGE


def is_outage(failures: Iterable[Failure | None], *, revisions: int) -> bool:
    """Whether nobody was served, and not because of what was asked.

    *failures* has an entry for each score that was asked for, None if it was answered.
    """
    kinds = set(failures)
    nobody = {Failure.OUTAGE, Failure.THROTTLED, Failure.REFUSED}
    return bool(kinds) and (kinds <= nobody or (revisions > 1 and kinds <= nobody | {Failure.LATE}))


def burns_attempt(failure: Failure, *, outage: bool) -> bool:
    """Whether *failure* counts against the edit; *outage*: nothing else was served at the time."""
    if failure in {Failure.THROTTLED, Failure.ELSEWHERE, Failure.REFUSED}:
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
