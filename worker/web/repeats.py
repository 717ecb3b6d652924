"""Replies of a moment ago, for requests that are the same to the letter: many ask for what was just edited.

A reply whose scores were all cached stays right for as long as the versions of its models are current, and those are
looked at once a second.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Message, Scope, Send

from worker.web.scoring import Scored

#: A new version of a model is seen that much later.
REPEATED_SECONDS = 1.0
#: At 50 revisions a reply some tens of megabytes.
MOST_REPEATED = 2_000


@dataclass(frozen=True, slots=True)
class Repeat:
    """A reply that can be sent again."""

    scored: Scored
    messages: tuple[Message, Message]
    until: float

    async def __call__(self, send: Send) -> None:
        for message in self.messages:
            await send(message)


class Repeats:
    """Keeps replies for a second; used in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, bytes], Repeat] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, scope: Scope) -> Repeat | None:
        """The reply to a request that is the same as that of *scope*."""
        found = self._kept.get((scope["path"], scope["query_string"]))
        return found if found is not None and scope["method"] == "GET" and self._clock() < found.until else None

    def keep(self, scope: Scope, response: Response, scored: Scored) -> None:
        """Keep *response*, if that of *scope* is a request that may be repeated and all of it was cached."""
        if scope["method"] != "GET" or not scored.is_cached:
            return
        if len(self._kept) >= MOST_REPEATED:
            self._tidy()
        start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        body = {"type": "http.response.body", "body": response.body}
        until = self._clock() + REPEATED_SECONDS
        self._kept[scope["path"], scope["query_string"]] = Repeat(scored, (start, body), until)

    def _tidy(self) -> None:
        now = self._clock()
        self._kept = {key: repeat for key, repeat in self._kept.items() if now < repeat.until}
        if len(self._kept) >= MOST_REPEATED:
            self._kept.clear()
