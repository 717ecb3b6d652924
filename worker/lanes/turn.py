"""A turn: claim one batch of one lane, work on it while its lease is renewed, and ring for what follows from it.

    answer the ring → a place with what is needed → claim → ring for the next, if the claim came full → work → settle

A turn runs in the thread that takes it, with all its SQL and Redis; only HTTP runs in the process' one event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from outbox import Claim, Lane, Outcome, Released, RetryLater, claim, claim_in_order, renew, settle
from outbox.backoff import backoff
from outbox.errors import OutboxError
from outbox.settings import OutboxSettings
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import WorkerError
from worker.lanes.bulkheads import Bulkheads, Computing
from worker.lanes.consumer import Consumer
from worker.lanes.loops import ThreadLoops
from worker.lanes.rings import Bell

#: A turn that found no place with what it needs is rung for again after so long.
NO_PLACE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Takes turns, in whichever thread it is called."""

    consumers: Mapping[str, Consumer]
    bell: Bell
    bulkheads: Bulkheads
    computing: Computing
    loops: ThreadLoops
    settings: OutboxSettings

    def take(self, wiki: Wiki, lane: str) -> bool:
        """Take one turn at *lane* of *wiki*; returns whether it served a batch and another turn makes sense at once.

        Raises:
            Exception: what the turn could not do; its claims were given back, unless the database is what failed.
        """
        consumer = self.consumers.get(lane)
        if consumer is None:
            # The settings had its sink when this was rung for; what waits is safe until they have it again.
            return False
        with self.bulkheads.place(consumer.needs(wiki)) as has_place:
            if not has_place:
                self.bell.turn(wiki.id, lane, after=NO_PLACE_SECONDS)
                return False
            with self.computing.turn():
                return self.loops.run(self._serve(wiki, consumer))

    async def _serve(self, wiki: Wiki, consumer: Consumer) -> bool:
        lane, size = consumer.lane, consumer.claim_size(wiki)
        if not size:
            return False
        take = claim_in_order if consumer.is_ordered else claim
        claims = wiki.database.run(partial(take, lane=lane, limit=size, lease=self.settings.lease))
        if not claims:
            consumer.nothing_claimed()
            return False
        is_full = len(claims) == size
        if is_full and not consumer.is_ordered:
            # Before it works, so that a backlog is worked on by several; it goes to the end of the queue.
            self.bell.turn(wiki.id, lane.name, after=0)
        try:
            async with self._held(wiki, lane, claims):
                worked = await consumer.work(wiki, claims)
        except BaseException as error:
            self._give_back(wiki, lane, claims, error)
            raise
        for task in worked.prompts:
            self.bell.prompt(task, wiki.id)
        for promised in worked.promised:
            self.bell.turn(wiki.id, promised.name)
        if is_full and consumer.is_ordered and worked.goes_on:
            self.bell.turn(wiki.id, lane.name, after=0)
        return worked.goes_on

    @asynccontextmanager
    async def _held(self, wiki: Wiki, lane: Lane, claims: Sequence[Claim]) -> AsyncIterator[None]:
        """Renew the lease of *claims* while the work on them goes on; one that is lost all the same is fenced off."""
        lease = self.settings.lease

        async def renewing() -> None:
            while True:
                await asyncio.sleep(lease.total_seconds() / 3)
                # One that fails is repeated; the lease is long enough for two.
                with suppress(Exception):
                    await asyncio.to_thread(wiki.database.run, partial(renew, lane=lane, claims=claims, lease=lease))

        task = asyncio.create_task(renewing())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _give_back(self, wiki: Wiki, lane: Lane, claims: Sequence[Claim], error: BaseException) -> None:
        """Let others have *claims* at once, instead of when their lease runs out.

        What is known to be nobody's fault burns no attempt. Anything else may be the fault of one of the messages.
        """
        text = f"{type(error).__name__}: {error}"
        outcomes: dict[Claim, Outcome] = {
            each: Released(text)
            if isinstance(error, OutboxError | WorkerError)
            else RetryLater(backoff(each.attempt), text)
            for each in claims
        }
        try:
            wiki.database.run(lambda session: settle(session, lane, outcomes))
        except Exception as second:  # noqa: BLE001 - the lease is what is left then
            log.warning("claims_not_given_back", wiki=wiki.id, lane=lane.name, error=str(second))
