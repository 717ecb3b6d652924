"""Replies of a moment ago, for requests that are the same to the letter: many ask for what was just edited.

A reply whose scores were all cached stays right for as long as the versions of its models are current, and those are
looked at once a second.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from worker.web.questions import Question
from worker.web.replies import Ready

#: Seconds; for that long a new version of a model may not be seen.
REPEATED_SECONDS = 1.0
#: With 50 revisions in each reply, these are some tens of megabytes.
MOST_REPEATED = 2_000


@dataclass(frozen=True, slots=True)
class Repeat:
    """A reply that can be sent again."""

    question: Question
    ready: Ready
    until: float


class Repeats:
    """Keeps replies for a second; used in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, bytes], Repeat] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, scope: Scope) -> Repeat | None:
        """The reply to a GET that is the same as that of *scope*."""
        found = self._kept.get((scope["path"], scope["query_string"]))
        return found if found is not None and self._clock() < found.until else None

    def keep(self, scope: Scope, ready: Ready, question: Question) -> None:
        """Keep the reply to *question*, which is that of the GET of *scope*; all of it was cached."""
        if len(self._kept) >= MOST_REPEATED:
            self._tidy()
        until = self._clock() + REPEATED_SECONDS
        self._kept[scope["path"], scope["query_string"]] = Repeat(question, ready, until)

    def _tidy(self) -> None:
        now = self._clock()
        self._kept = {key: repeat for key, repeat in self._kept.items() if now < repeat.until}
        if len(self._kept) >= MOST_REPEATED:
            self._kept.clear()
