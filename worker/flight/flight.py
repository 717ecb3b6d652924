"""Single flight: whoever wants a score, however many at once, one of them calls and all get the answer.

The tiers are asked from the innermost to the outermost: this process, then Redis or the database. What is ours in one
is wanted of the next, and what is ours in the last is called for. Answers go back the same way, so each tier ends its
leases, wakes who waits and says which answer stands.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.config.settings_sections import FlightSettings
from worker.config.telemetry import log
from worker.domain.failures import Failure, is_outage
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.tiers import End, Lease, Tier, TierUnavailable, by_true_version

#: Asks the endpoint; an answer for every id.
Call = Callable[[Sequence[ScoreId]], Awaitable[dict[ScoreId, Answer]]]
#: Takes answers as they come.
Land = Callable[[Mapping[ScoreId, Answer]], None]

#: Beyond the end of a lease, so that who looks then finds it gone.
JUST_AFTER_SECONDS = 0.02
#: Stands for the answer of one who gives up: nothing to hand over, the score is anybody's.
_NEVER_MIND = NoAnswer("not asked for to the end", Failure.ELSEWHERE)


@dataclass(slots=True)
class Flown:
    """What a request for scores came to."""

    answers: dict[ScoreId, Answer] = field(default_factory=dict)
    #: Scores we asked the endpoint for.
    called: int = 0
    #: Scores that somebody else had asked for, before us or at the same time.
    shared: int = 0
    #: Those of `answers` that were there before.
    cached: set[ScoreId] = field(default_factory=set)

    @property
    def is_outage(self) -> bool:
        """Whether the endpoint served nobody just now, and that for no fault of what was asked."""
        asked = {score_id: answer for score_id, answer in self.answers.items() if score_id not in self.cached}
        failures = [answer.failure if isinstance(answer, NoAnswer) else None for answer in asked.values()]
        now = [failure for failure in failures if failure is not Failure.ELSEWHERE]
        return is_outage(now, revisions=len({score_id.revision for score_id in asked}))

    def under_way(self) -> list[ScoreId]:
        """Those that somebody else was still computing when our patience ended."""
        return [
            score_id
            for score_id, answer in self.answers.items()
            if isinstance(answer, NoAnswer) and answer.failure is Failure.ELSEWHERE
        ]


class Flight:
    """Single flight through *tiers*, the nearest first."""

    def __init__(self, tiers: Sequence[Tier], settings: FlightSettings) -> None:
        self._tiers = tiers
        self._settings = settings

    async def scores(self, ids: Iterable[ScoreId], call: Call, *, patience: float | None = None) -> Flown:
        """Return an answer for each of *ids*: from the cache, from another's call under way, or from *call*.

        The calls for one batch end within `call_seconds`; what has no answer by then gets a `NoAnswer`. What somebody
        else computes is waited for no longer than *patience* seconds (the setting, if None), and is ours if its lease
        runs out meanwhile; after that it is a `NoAnswer` that is no failure. A tier that does not answer is gone
        round.
        """
        flown = Flown()
        seconds = self._settings.patience_seconds if patience is None else patience
        request = _Request(flown, call, self._settings, asyncio.get_running_loop().time() + seconds)
        await request.through(self._tiers, list(dict.fromkeys(ids)), flown.answers.update)
        flown.shared = len(flown.answers) - flown.called - len(flown.under_way())
        return flown

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        """What is there for *ids* where all workers see it; nothing is asked for.

        Raises:
            TierUnavailable: it can't be told.
        """
        return self._tiers[-1].ends(ids)

    async def awaited(
        self, ids: Collection[ScoreId], seconds: float, *, stale: Collection[str | None] = ()
    ) -> dict[ScoreId, Answer]:
        """Wait no longer than *seconds* for the answers that somebody else gets for *ids*; returns those that came.

        What the holders in *stale* handed over is no answer to what was asked since.

        Raises:
            TierUnavailable: they can't be waited for.
        """
        loop, tier = asyncio.get_running_loop(), self._tiers[-1]
        deadline, missing = loop.time() + seconds, list(ids)
        found: dict[ScoreId, Answer] = {}
        async with tier.listening(missing) as listen:
            while True:
                ends = tier.ends(missing)
                found |= {score_id: end.answer for score_id, end in ends.items() if end.holder not in stale}
                missing = [score_id for score_id in missing if score_id not in found]
                left = deadline - loop.time()
                if not missing or left <= 0:
                    return found
                await listen(left)


class _Request:
    """One request on its way through the tiers."""

    def __init__(self, flown: Flown, call: Call, settings: FlightSettings, patient_until: float) -> None:
        self._flown = flown
        self._call = call
        self._settings = settings
        self._patient_until = patient_until

    async def through(self, tiers: Sequence[Tier], ids: Sequence[ScoreId], land: Land) -> None:
        """Get an answer for each of *ids*, and let it *land*."""
        if not ids:
            return
        if not tiers:
            land(await self._called(ids))
            return
        left = dict.fromkeys(ids)

        def landing(answers: Mapping[ScoreId, Answer]) -> None:
            for score_id in answers:
                del left[score_id]
            land(answers)

        try:
            await self._through_one(tiers[0], tiers[1:], ids, landing)
        except TierUnavailable as error:
            log.warning("tier_unavailable", error=str(error), effect="calls are not shared with others")
            await self.through(tiers[1:], list(left), land)

    async def _through_one(self, tier: Tier, rest: Sequence[Tier], wanted: Sequence[ScoreId], land: Land) -> None:
        under_way: Mapping[ScoreId, Lease] = {}
        async with contextlib.AsyncExitStack() as stack:
            listen = None
            while wanted:
                token = uuid.uuid4().hex
                waited_for = {score_id: lease.token for score_id, lease in under_way.items()}
                acquired = tier.acquire(wanted, token, waited_for)
                self._flown.cached |= acquired.cached.keys() - under_way.keys()
                land(acquired.cached | acquired.handed_over)
                if acquired.ours:
                    await self._hold(tier, rest, acquired.ours, token, land)
                under_way = acquired.under_way
                wanted = list(under_way)
                if wanted and asyncio.get_running_loop().time() >= self._patient_until:
                    land(dict.fromkeys(wanted, NoAnswer("somebody else is computing it", Failure.ELSEWHERE)))
                    return
                if wanted and listen is None:
                    # And look again: the end may have come before we listened.
                    listen = await stack.enter_async_context(tier.listening(wanted))
                elif wanted and listen is not None:
                    await listen(self._until_a_lease_ends(under_way))

    async def _hold(self, tier: Tier, rest: Sequence[Tier], ids: Sequence[ScoreId], token: str, land: Land) -> None:
        """Get the answers to *ids*, whose leases are ours in *tier*, from the *rest*; renews and ends the leases."""
        held = dict.fromkeys(ids)

        def landed(answers: Mapping[ScoreId, Answer]) -> None:
            for score_id in answers:
                del held[score_id]
            land({**answers, **_ended(tier, answers, token)})

        async with self._renewed(tier, held, token):
            try:
                await self.through(rest, ids, landed)
            finally:
                # When the call was cancelled or failed: a lease must not outlive its holder's interest.
                if held:
                    _ended(tier, dict.fromkeys(held, _NEVER_MIND), token)

    @contextlib.asynccontextmanager
    async def _renewed(self, tier: Tier, held: Collection[ScoreId], token: str) -> AsyncIterator[None]:
        async def renewing() -> None:
            while True:
                await asyncio.sleep(self._settings.lease_seconds / 3)
                # One that fails is repeated; the lease is long enough for two.
                with contextlib.suppress(TierUnavailable):
                    tier.renew(list(held), token)

        task = asyncio.create_task(renewing())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _called(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        self._flown.called += len(ids)
        try:
            async with asyncio.timeout(self._settings.call_seconds):
                return await self._call(ids)
        except TimeoutError:
            return dict.fromkeys(ids, NoAnswer(f"no answer within {self._settings.call_seconds:g} s", Failure.LATE))

    def _until_a_lease_ends(self, under_way: Mapping[ScoreId, Lease]) -> float:
        first = min(lease.seconds for lease in under_way.values()) + JUST_AFTER_SECONDS
        return max(0.0, min(first, self._patient_until - asyncio.get_running_loop().time()))


def _ended(tier: Tier, answers: Mapping[ScoreId, Answer], token: str) -> Mapping[ScoreId, Answer]:
    """End the leases of all that is in *answers*; returns those that stand instead of ours, and may return them all."""
    ends = {
        score_id: answer
        for score_id, answer in answers.items()
        if not (isinstance(answer, NoAnswer) and answer.failure is Failure.ELSEWHERE)
    }
    try:
        standing = tier.finish(answers.keys(), ends | by_true_version(ends.items()), token)
    except TierUnavailable as error:
        log.warning("tier_unavailable", error=str(error), effect="the answers are not kept")
        return {}
    return {score_id: standing[score_id] for score_id in ends}
