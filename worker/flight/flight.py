"""Single flight: if several want a score at once, one of them calls the endpoint, and all get the answer.

The tiers are asked from the innermost to the outermost: this process, then Redis or the database. Ids that are ours in
one tier are asked for in the next; the endpoint is called for those that are ours in the last. Answers go back the same
way: each tier ends its leases, wakes those who wait, and says which answer counts. Who does not want to wait asks the
last tier even for what others hold in a nearer one: these may be about to end, and would leave it nothing.

If a revision has some of its scores and the others are late, nobody waits for the late ones: their call goes on under
its leases, and whoever wants them next finds them in the cache.
"""

import asyncio
import contextlib
import math
import uuid
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.config.settings_sections import FlightSettings
from worker.config.telemetry import log
from worker.domain.failures import Failure
from worker.domain.scores import Answer, Final, NoAnswer, ScoreId
from worker.flight.calls import GIVEN_UP, Call, CallUnderWay, Receiver
from worker.flight.tiers import End, Lease, Tier, TierUnavailable, by_true_version

#: Starts a call in such a way that it goes on even if its asker ends.
Begin = Callable[[Coroutine[Any, Any, dict[ScoreId, Answer]]], "asyncio.Future[dict[ScoreId, Answer]]"]

#: Seconds added to the end of a lease, so that a look at that time finds it run out.
JUST_AFTER_SECONDS = 0.02
#: Scores are late only after this many times as long as the others took, so that an endpoint that is slow with all is
#: waited for.
LATE_TIMES = 3


@dataclass(slots=True)
class FlightResult:
    """The result of a request for scores."""

    answers: dict[ScoreId, Answer] = field(default_factory=dict)
    #: Scores for which we asked the endpoint.
    called: int = 0
    #: Scores for which another caller asked, before us or at the same time.
    shared: int = 0
    #: Those of `answers` that were in the cache.
    cached: set[ScoreId] = field(default_factory=set)

    def under_way(self) -> list[ScoreId]:
        """Those that were still being computed when our patience ended."""
        return [
            score_id
            for score_id, answer in self.answers.items()
            if isinstance(answer, NoAnswer) and answer.failure is Failure.ELSEWHERE
        ]


class Flight:
    """Single flight through *tiers*, the nearest first."""

    def __init__(self, tiers: Sequence[Tier], settings: FlightSettings, begin: Begin = asyncio.ensure_future) -> None:
        self._tiers = tiers
        self._settings = settings
        self._begin = begin

    async def scores(self, ids: Iterable[ScoreId], call: Call, *, patience: float | None = None) -> FlightResult:
        """Return an answer for each of *ids*: from the cache, from another's call under way, or from *call*.

        The calls for one batch end within `call_seconds`; what has no answer by then gets a `NoAnswer`. What another
        holder computes is waited for no longer than *patience* seconds (the setting, if None), and becomes ours if its
        lease runs out meanwhile; after that it gets a `NoAnswer` that does not count as a failure. With the patience of
        the setting, so do scores that are late while others of their revision have come. A tier that does not answer is
        skipped.
        """
        request = _Request(call, self._settings, self._begin, patience)
        return await request.through_all(self._tiers, list(dict.fromkeys(ids)))

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        """What is stored for *ids* where all workers see it; does not ask the endpoint.

        Raises:
            TierUnavailable: it can't be looked up.
        """
        return self._tiers[-1].ends(ids)

    def keep(self, answers: Mapping[ScoreId, Answer]) -> None:
        """Leave *answers* where all workers see them, and wake those who wait there.

        For answers that only this process has, since Redis lost them. A `NoAnswer` is handed over to those who wait,
        unless somebody is computing the score.
        """
        with contextlib.suppress(TierUnavailable):
            self._tiers[-1].finish([], answers, uuid.uuid4().hex)

    async def awaited(
        self, ids: Collection[ScoreId], seconds: float, *, stale: Collection[str | None] = ()
    ) -> dict[ScoreId, Answer]:
        """Wait no longer than *seconds* for answers to *ids* that others are getting; returns those that came.

        Answers that the holders in *stale* handed over are older than the request, and do not count.

        Raises:
            TierUnavailable: the tier can't be asked.
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

    def __init__(self, call: Call, settings: FlightSettings, begin: Begin, patience: float | None) -> None:
        self._result = FlightResult()
        self._call = call
        self._settings = settings
        self._begin = begin
        #: All event loops use one clock.
        self._clock = asyncio.get_running_loop().time
        self._began = self._delivered_at = self._clock()
        self._patient_until = self._began + (settings.patience_seconds if patience is None else patience)
        self._late_seconds = settings.late_seconds if patience is None else math.inf
        #: The scores that nobody waits for any more.
        self._late: set[ScoreId] = set()
        self._has_ended = False

    def deliver(self, answers: Mapping[ScoreId, Answer]) -> None:
        if answers and not self._has_ended:
            self._result.answers.update(answers)
            self._delivered_at = self._clock()

    async def through_all(self, tiers: Sequence[Tier], ids: Sequence[ScoreId]) -> FlightResult:
        await self.through(tiers, ids, self)
        self._has_ended = True
        # A copy: late scores may come at any moment, and would change the answers while they are read.
        result = FlightResult(dict(self._result.answers), self._result.called, cached=self._result.cached)
        result.shared = len(result.answers) - result.called - len(set(result.under_way()) - self._late)
        return result

    async def through(self, tiers: Sequence[Tier], ids: Sequence[ScoreId], above: Receiver) -> None:
        """Get an answer for each of *ids* and hand it to *above*."""
        if not ids:
            return
        if not tiers:
            await self._called(ids, above)
            return
        wanted = _Wanted(ids, above)
        try:
            await self._through_one(tiers[0], tiers[1:], ids, wanted)
        except TierUnavailable as error:
            log.warning("tier_unavailable", error=str(error), effect="calls are not shared with others")
            await self.through(tiers[1:], [each for each in wanted.left if each not in self._late], above)

    async def _through_one(self, tier: Tier, rest: Sequence[Tier], wanted: Sequence[ScoreId], above: Receiver) -> None:
        under_way: Mapping[ScoreId, Lease] = {}
        async with contextlib.AsyncExitStack() as stack:
            listen = None
            while wanted:
                token = uuid.uuid4().hex
                waited_for = {score_id: lease.token for score_id, lease in under_way.items()}
                acquired = tier.acquire(wanted, token, waited_for)
                self._result.cached |= acquired.cached.keys() - under_way.keys()
                above.deliver(acquired.cached | acquired.handed_over)
                if acquired.ours:
                    await self._from_the_rest(rest, acquired.ours, _Held(tier, acquired.ours, token, above))
                under_way = acquired.under_way
                wanted = list(under_way)
                if wanted and self._until_impatient(wanted) <= 0:
                    await self._without_waiting(rest, wanted, above)
                    return
                if wanted and listen is None:
                    # Look again first: the answer may have come before we listened.
                    listen = await stack.enter_async_context(tier.listening(wanted))
                elif wanted and listen is not None:
                    await listen(self._until_a_lease_ends(under_way))

    async def _without_waiting(self, rest: Sequence[Tier], ids: Sequence[ScoreId], above: Receiver) -> None:
        """Ask the *rest* for *ids* that others hold here, without leases of our own here.

        Those others may only wait there, or have ended there already; only the last tier knows whether somebody is
        computing it.
        """
        wanted = _Wanted(ids, above)
        if rest:
            # What is computed in this process is not called for twice because the others can't be asked.
            with contextlib.suppress(TierUnavailable):
                await self._through_one(rest[0], rest[1:], ids, wanted)
        left = [each for each in wanted.left if each not in self._late]
        wanted.deliver(dict.fromkeys(left, NoAnswer("somebody else is computing it", Failure.ELSEWHERE)))

    async def _from_the_rest(self, rest: Sequence[Tier], ids: Sequence[ScoreId], held: "_Held") -> None:
        """Get the answers to *ids*, whose leases we hold in one tier, from the *rest*."""
        renewing = asyncio.create_task(held.renew(every=self._settings.lease_seconds / 3))
        try:
            await self.through(rest, ids, held)
        finally:
            # Even if the call was cancelled or failed: nobody should wait for a holder that has given up.
            held.release(but=self._late)
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _called(self, ids: Sequence[ScoreId], above: Receiver) -> None:
        """Have the endpoint asked for *ids*, and hand the answers to *above*; late ones are handed over without us."""
        self._result.called += len(ids)
        call = CallUnderWay(ids, self._call, self._settings.call_seconds)
        answers = self._begin(call.run())
        try:
            while not answers.done():
                await asyncio.wait({answers}, timeout=self._until_late(ids, call.so_far(), call.heard_at))
                is_late = not answers.done() and self._until_late(ids, call.so_far(), call.heard_at) <= 0
                if is_late and (there := call.leave(above)) is not None:
                    self._leave([each for each in ids if each not in there])
                    above.deliver(there)
                    return
        except BaseException:
            answers.cancel()
            raise
        above.deliver(answers.result())

    def _leave(self, ids: Sequence[ScoreId]) -> None:
        self._late.update(ids)
        late = NoAnswer("it is late; others have answered, and are not held up", Failure.ELSEWHERE)
        self._result.answers.update(dict.fromkeys(ids, late))

    def _until_late(
        self, ids: Iterable[ScoreId], there: Mapping[ScoreId, Answer] | None = None, heard_at: float = 0.0
    ) -> float:
        """Seconds until those of *ids* that are not *there* are late; they can be only if their revision has others.

        If nothing can be late, it is the time until another look makes sense.
        """
        there = there or {}
        known = (*self._result.answers.items(), *there.items())
        scored = {each.revision for each, answer in known if isinstance(answer, Final)}
        if not any(each.revision in scored for each in ids if each not in there):
            return self._late_seconds
        last = max(self._delivered_at, heard_at)
        return last + max(self._late_seconds, LATE_TIMES * (last - self._began)) - self._clock()

    def _until_impatient(self, under_way: Collection[ScoreId]) -> float:
        return min(self._patient_until - self._clock(), self._until_late(under_way))

    def _until_a_lease_ends(self, under_way: Mapping[ScoreId, Lease]) -> float:
        first = min(lease.seconds for lease in under_way.values()) + JUST_AFTER_SECONDS
        return max(0.0, min(first, self._until_impatient(under_way)))


class _Wanted:
    """The ids wanted of one tier that have no answer yet; passes answers on as they come."""

    def __init__(self, ids: Sequence[ScoreId], above: Receiver) -> None:
        self.left = dict.fromkeys(ids)
        self._above = above

    def deliver(self, answers: Mapping[ScoreId, Answer]) -> None:
        for score_id in answers:
            del self.left[score_id]
        self._above.deliver(answers)


class _Held:
    """Our leases in one tier. An answer ends its lease; the one that counts in that tier is passed on."""

    def __init__(self, tier: Tier, ids: Sequence[ScoreId], token: str, above: Receiver) -> None:
        self._tier = tier
        self._left = dict.fromkeys(ids)
        self._token = token
        self._above = above

    def deliver(self, answers: Mapping[ScoreId, Answer]) -> None:
        for score_id in answers:
            del self._left[score_id]
        self._above.deliver({**answers, **_ended(self._tier, answers, self._token)})

    def release(self, *, but: Collection[ScoreId] = ()) -> None:
        """Release the ids without an answer, so that others may take them, *but* not those still to come."""
        left = [score_id for score_id in list(self._left) if score_id not in but]
        if left:
            _ended(self._tier, dict.fromkeys(left, GIVEN_UP), self._token)

    async def renew(self, *, every: float) -> None:
        """Renew the leases until cancelled."""
        while True:
            await asyncio.sleep(every)
            # If this renewal fails, the next may succeed; the lease is long enough for two.
            with contextlib.suppress(Exception):
                self._tier.renew(list(self._left), self._token)


def _ended(tier: Tier, answers: Mapping[ScoreId, Answer], token: str) -> Mapping[ScoreId, Answer]:
    """End the leases of all ids in *answers*; returns the answers that count, which need not be ours."""
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
