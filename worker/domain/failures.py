"""Why there is no answer, and what follows from that: the one table of failures. Pure.

| what happened                              | it is     | counts an attempt        | then                       |
| ------------------------------------------ | --------- | ------------------------ | -------------------------- |
| an error about the revision, in words of   | final     |                          | a `ScoreError`, in the     |
| the endpoint's own that name it            |           |                          | event                      |
| any other error of one score; 500; not the | transient | unless it is an outage   | backoff; opens the circuit |
| reply that was asked for                   |           |                          |                            |
| no reply in time; 408, 504                 | late      | unless it is an outage   | backoff; opens the circuit |
| no connection; 502, 503                    | outage    | unless others are served | backoff; opens the circuit |
| 3xx, 4xx that name no revision; 511; a     | refused   | no                       | a slow backoff; opens the  |
| page or an error with a 200 for scores     |           |                          | circuit, and is an alarm   |
| 429; 503 with Retry-After; our own limits  | throttled | no                       | not before Retry-After     |
| somebody else is computing it              | elsewhere | no                       | soon                       |
| kills its worker; can't be read            | poison    | when it is claimed       | dead letter                |

It is an outage if, between the first request for the revision and its last failure, nothing of that model of that wiki
was served, and several revisions failed, or one several times: `worker/endpoints/tries.py`. Which words are about a
revision, and in which spelling: `worker/endpoints/refusals.py`.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

#: Seconds before an edit is tried again that was refused for no fault of its own; at least half of it, at most all.
REFUSED_SECONDS = 30.0
#: Seconds; after this pause an endpoint is asked again, even if its Retry-After is longer.
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
    # 511 is a gateway's that wants a login, and 600 or more somebody's who does not want us.
    if status < 500 or status == 511 or status >= 600:
        return Failure.REFUSED
    return Failure.TRANSIENT if status == 500 else Failure.OUTAGE


def burns_attempt(failure: Failure, *, is_outage: bool) -> bool:
    """Whether *failure* counts against the edit; *is_outage*: others failed the same way, and nobody was served."""
    return not is_outage and failure not in {Failure.THROTTLED, Failure.ELSEWHERE, Failure.REFUSED}


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
