"""How long a listener waits: for more events, for a stream that is away, and for a database. Pure."""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from outbox.backoff import backoff

#: Seconds; no stream is waited for longer, whatever it asks for.
LONGEST_ASKED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, and for what."""

    #: A connection that is silent for this long is dead; EventStreams sends canaries and comments more often.
    silence: timedelta = timedelta(minutes=2)
    #: For the rest of an event that has begun: one of the greatest length comes at 14 kB a second.
    event: timedelta = timedelta(minutes=10)
    #: For more events to be saved together with the first.
    others: timedelta = timedelta(seconds=0.5)
    #: Before a new connection, and before another try to save.
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(minutes=1)

    def pause(self, failures: int, asked: float = 0.0) -> float:
        """Seconds to wait after *failures* in a row, and not less than the stream *asked* for.

        With jitter, so that listeners do not all return at once, since a stream asks all of them for the same wait.
        """
        own = backoff(failures, first=self.first_pause, longest=self.longest_pause).total_seconds()
        asked = min(asked, LONGEST_ASKED_SECONDS)
        return max(own, asked * (1 + random.random() / 10))  # noqa: S311 - spreads connections, guards nothing


PATIENCE = Patience()


def asked_seconds(retry_after: str | None, now: datetime) -> float:
    """The seconds that a header `Retry-After` asks for, as a number or a date; 0 if it is missing or neither."""
    text = (retry_after or "").strip()
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else _until(text, now)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else LONGEST_ASKED_SECONDS


def _until(text: str, now: datetime) -> float:
    moment = parsedate_to_datetime(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
