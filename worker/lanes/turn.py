"""A turn: claim one batch of one lane, work on it while its lease is renewed, and ring for what follows.

    answer the ring → take places → claim → ring for the next turn, if the claim came full → work → settle

A turn runs in the thread that takes it, with all its SQL and Redis; only HTTP runs in the process' one event loop.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from outbox import Claim, Dead, Lane, Outcome, Released, RetryLater, claim, claim_in_order, renew, settle
from outbox.backoff import backoff
from outbox.errors import DatabaseUnavailable, OutboxError
from outbox.server_errors import refuses_a_value, sentence_of
from outbox.settings import OutboxSettings
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import WorkerError
from worker.lanes.bulkheads import Bulkheads, Computing
from worker.lanes.consumer import Consumer, Worked
from worker.lanes.held import Held
from worker.lanes.loops import ThreadLoops
from worker.lanes.rings import Bell
from worker.lanes.seldom import Seldom
from worker.lanes.unreturned import Unreturned

#: A turn that found no place, or somebody else at work on its ordered lane, is rung for again after this time.
NO_PLACE_SECONDS = 0.5
#: So is one whose claims its database did not take back; longer than a lane that failed is let be.
UNRETURNED_SECONDS = 6.0
#: After a batch of an ordered lane with more messages than this the next one follows; after fewer a ring must come.
FEW = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What came of a turn."""

    #: Whether another turn at the same lane makes sense at once.
    goes_on: bool = False
    #: The lane whose turn can follow at once, in the same task: its own, where its messages have an order and many
    #: were there, or one that was promised something. None where there is none, or others have it.
    follows: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Takes turns, in whichever thread it is called."""

    consumers: Mapping[str, Consumer]
    bell: Bell
    bulkheads: Bulkheads
    computing: Computing
    loops: ThreadLoops
    settings: OutboxSettings
    unreturned: Unreturned = field(default_factory=Unreturned)
    held: Held = field(default_factory=Held)
    warnings: Seldom = field(default_factory=Seldom)

    def take(self, wiki: Wiki, lane: str) -> Served:
        """Take one turn at *lane* of *wiki*, and ring for what follows, except for the turn in `follows`.

        Raises:
            Exception: why the turn failed; its claims were released, or will be once their database answers.
        """
        consumer = self.consumers.get(lane)
        if consumer is None:
            # Its sink has left the settings since the ring; the messages are safe until it is back.
            return Served()
        with self.bulkheads.place(consumer.needs(wiki), wiki=wiki.id) as has_place:
            if not has_place:
                self.bell.turn(wiki.id, lane, after=NO_PLACE_SECONDS)
                return Served()
            with self.computing.turn():
                return self.loops.run(self._serve(wiki, consumer))

    def release_all(self, error: Exception, seconds: float) -> int:
        """Release all claims that are held, because of *error*, in at most *seconds*.

        Returns how many messages were held. What a database does not take in time is freed when its lease runs out.
        """
        until = time.monotonic() + seconds
        held = self.held.all()
        givers = [threading.Thread(target=self._give_back, args=(*each, error), daemon=True) for each in held]
        for giver in givers:
            giver.start()
        for giver, (wiki, lane, _) in zip(givers, held, strict=True):
            giver.join(max(0.0, until - time.monotonic()))
            if giver.is_alive():
                log.warning("claims_not_given_back", wiki=wiki.id, lane=lane.name, error="the database did not answer")
        return sum(len(claims) for _, _, claims in held)

    async def _serve(self, wiki: Wiki, consumer: Consumer) -> Served:
        if self.held.is_closed:
            # This process is ending; another one takes the turn.
            self.bell.turn(wiki.id, consumer.lane.name, after=0)
            return Served()
        lane = consumer.lane
        claims, size = self._claim(wiki, consumer)
        if claims is None:
            # What came meanwhile might wait for the next poll: nobody says when the other one is done.
            self.bell.turn_again(wiki.id, lane.name, after=NO_PLACE_SECONDS)
        if not claims:
            consumer.nothing_claimed()
            return Served()
        with self.held.holding(wiki, lane, claims):
            return await self._work(wiki, consumer, claims, size)

    async def _work(self, wiki: Wiki, consumer: Consumer, claims: Sequence[Claim], size: int) -> Served:
        lane = consumer.lane
        # Messages that a dead worker held are claimed a few at a time, so more of them may wait.
        has_more = len(claims) == size or any(each.attempt > 1 for each in claims)
        if has_more and not consumer.is_ordered:
            # Before the work, so that several turns share a backlog; the ring goes to the end of the queue.
            self.bell.turn(wiki.id, lane.name, after=0)
        try:
            with self._renewed(wiki, lane, claims):
                worked = await self._halved(wiki, consumer, claims)
        except BaseException as error:
            self._give_back(wiki, lane, claims, error)
            raise
        for task in worked.prompts:
            self.bell.prompt(task, wiki.id)
        promised = [each.name for each in worked.promised]
        follows: str | None = None
        if consumer.is_ordered and worked.goes_on and (has_more or len(claims) > FEW):
            follows = lane.name
        elif promised and not has_more:
            # Where little waits one turn can follow at once; more than one, and a sink that hangs holds up another.
            follows = promised.pop()
        for each in promised:
            # Of a backlog there is nothing to wait for.
            self.bell.turn(wiki.id, each, after=0 if has_more else None)
        return Served(goes_on=worked.goes_on, follows=follows)

    async def _halved(self, wiki: Wiki, consumer: Consumer, claims: Sequence[Claim]) -> Worked:
        """Work on *claims*, in halves if the database refuses a value: only the message with that value must wait."""
        try:
            return await consumer.work(wiki, claims)
        except Exception as error:
            if not refuses_a_value(error):
                raise
            if len(claims) == 1:
                text = sentence_of(error)
                log.error("value_refused", wiki=wiki.id, lane=consumer.lane.name, message=claims[0].message, error=text)
                self._give_back(wiki, consumer.lane, claims, error)
                return Worked()
        middle = len(claims) // 2
        halves = [await self._halved(wiki, consumer, half) for half in (claims[:middle], claims[middle:])]
        return Worked(
            promised=tuple(dict.fromkeys(lane for half in halves for lane in half.promised)),
            prompts=tuple(dict.fromkeys(task for half in halves for task in half.prompts)),
            goes_on=all(half.goes_on for half in halves),
        )

    def _claim(self, wiki: Wiki, consumer: Consumer) -> tuple[list[Claim] | None, int]:
        """Claim as much as makes sense now; also returns how much that was. None while others have the lane."""
        lane = consumer.lane
        for outcomes in self.unreturned.take(wiki.id, lane.name):
            self._return(wiki, lane, outcomes)
        size = consumer.claim_size(wiki)
        if not size:
            return [], 0
        take: Callable[..., list[Claim] | None] = claim_in_order if consumer.is_ordered else claim
        return wiki.database.run(partial(take, lane=lane, limit=size, lease=self.settings.lease)), size

    @contextmanager
    def _renewed(self, wiki: Wiki, lane: Lane, claims: Sequence[Claim]) -> Iterator[None]:
        """Renew the lease of *claims* while the work on them goes on; one that is lost all the same is fenced off."""
        lease, loop = self.settings.lease, asyncio.get_running_loop()
        due: asyncio.TimerHandle

        def renew_once() -> None:
            # A renewal that fails is repeated; the lease is long enough for two.
            with suppress(Exception):
                wiki.database.run(partial(renew, lane=lane, claims=claims, lease=lease))

        def renewed() -> None:
            nonlocal due
            loop.run_in_executor(None, renew_once)
            due = loop.call_later(lease.total_seconds() / 3, renewed)

        # Most turns end long before; no task is made and cancelled for each.
        due = loop.call_later(lease.total_seconds() / 3, renewed)
        try:
            yield
        finally:
            due.cancel()

    def _give_back(self, wiki: Wiki, lane: Lane, claims: Sequence[Claim], error: BaseException) -> None:
        """Let others have *claims* at once, instead of when their lease runs out.

        An error that no message caused counts no attempt. Any other may be the fault of one of the messages, and
        makes it a dead letter if even giving it up failed with it.
        """
        text = sentence_of(error) or f"{type(error).__name__}: {error}"
        is_nobodys = isinstance(error, OutboxError | WorkerError)
        outcomes: dict[Claim, Outcome] = {
            each: Released(text) if is_nobodys else self._failed(each, text) for each in claims
        }
        self._return(wiki, lane, outcomes)

    def _failed(self, claim: Claim, text: str) -> Outcome:
        # After its last attempt a message is settled without being worked on; if that fails, it is dead.
        if claim.attempt > self.settings.max_attempts:
            return Dead("not_settled", text)
        return RetryLater(backoff(claim.attempt), text)

    def _return(self, wiki: Wiki, lane: Lane, outcomes: Mapping[Claim, Outcome]) -> None:
        try:
            wiki.database.run(lambda connection: settle(connection, lane, outcomes))
        except DatabaseUnavailable:
            # The watch over the server logs it, and rings for this lane once the server is back.
            self.unreturned.add(wiki.id, lane.name, outcomes)
        except Exception as second:  # noqa: BLE001 - tried until it succeeds or the lease has run out
            self.unreturned.add(wiki.id, lane.name, outcomes)
            self.bell.turn(wiki.id, lane.name, after=UNRETURNED_SECONDS)
            text = sentence_of(second) or str(second)
            if self.warnings.is_time(f"{wiki.id} {lane.name}"):
                log.warning("claims_not_given_back", wiki=wiki.id, lane=lane.name, error=text)
