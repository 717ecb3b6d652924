"""One call to an endpoint, which goes on to its end even if the asker does not wait for the last answers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from worker.domain.failures import Failure
from worker.domain.scores import Answer, Hear, NoAnswer, ScoreId

#: Asks the endpoint; returns an answer for every id, and lets those be heard that come before others.
Call = Callable[[Sequence[ScoreId], Hear], Awaitable[dict[ScoreId, Answer]]]

#: The answer of a holder that gives up: there is nothing to hand over, and others may take the score.
GIVEN_UP = NoAnswer("its holder gave up", Failure.ELSEWHERE)


class Receiver(Protocol):
    """Gets answers as they come."""

    def deliver(self, answers: Mapping[ScoreId, Answer]) -> None: ...


class CallUnderWay:
    """The call for *ids*, which ends within *seconds*. It may run in another thread than its asker."""

    def __init__(self, ids: Sequence[ScoreId], call: Call, seconds: float) -> None:
        self._ids = ids
        self._call = call
        self._seconds = seconds
        self._lock = threading.Lock()
        self._has_ended = False
        self._left_to: Receiver | None = None
        self._came: dict[ScoreId, Answer] = {}
        #: All event loops use one clock.
        self._clock = asyncio.get_running_loop().time
        #: When an answer was heard last.
        self.heard_at = self._clock()

    async def run(self) -> dict[ScoreId, Answer]:
        """The answers to all; late ones are also delivered to the receiver of `leave`."""
        answers: dict[ScoreId, Answer] = {}
        try:
            answers = await self._answers()
        finally:
            # Even if it was cancelled or failed: nobody should wait for a holder that has given up.
            with self._lock:
                self._has_ended, left_to = True, self._left_to
            if left_to is not None:
                late = {each: answers.get(each, GIVEN_UP) for each in self._ids if each not in self._came}
                # Delivering blocks, so it runs in a thread.
                await asyncio.to_thread(left_to.deliver, late)
        return answers

    def leave(self, receiver: Receiver) -> Mapping[ScoreId, Answer] | None:
        """Let *receiver* get the missing answers later, in a thread; returns the others. None if none is missing."""
        with self._lock:
            if self._has_ended:
                return None
            self._left_to = receiver
            return dict(self._came)

    def so_far(self) -> Mapping[ScoreId, Answer]:
        """The answers that have come so far."""
        with self._lock:
            return dict(self._came)

    def _hear(self, answers: Mapping[ScoreId, Answer]) -> None:
        with self._lock:
            if self._left_to is None:
                self.heard_at = self._clock()
                self._came.update(answers)

    async def _answers(self) -> dict[ScoreId, Answer]:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._call(self._ids, self._hear)
        except TimeoutError:
            # If several revisions get no answer, no single one is the cause.
            is_outage = len({score_id.revision for score_id in self._ids}) > 1
            late = f"no answer within {self._seconds:g} s"
            return dict.fromkeys(self._ids, NoAnswer(late, Failure.LATE, is_outage=is_outage))
