"""Redis while it serves, the database while it does not."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import TypeVar

from worker.config.redis_state import RedisState
from worker.domain.scores import Answer, ScoreId
from worker.flight.tiers import Acquired, End, Listen, Tier, TierUnavailable

Result = TypeVar("Result")


class FallbackTier:
    """*first* while it is available, *second* while it is not.

    A lease taken in one is not visible in the other: when Redis goes or comes back, calls under way may be made once
    more. No answer is lost by that, and no row is written twice.
    """

    def __init__(self, first: Tier, second: Tier, state: RedisState) -> None:
        self._first = first
        self._second = second
        self._state = state

    def acquire(self, ids: Sequence[ScoreId], token: str, waited_for: Mapping[ScoreId, str]) -> Acquired:
        return self._try(lambda tier: tier.acquire(ids, token, waited_for), has_written=lambda found: bool(found.ours))

    def renew(self, ids: Collection[ScoreId], token: str) -> None:
        self._try(lambda tier: tier.renew(ids, token))

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        return self._try(lambda tier: tier.finish(ids, answers, token))

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        return self._try(lambda tier: tier.ends(ids), has_written=lambda _: False)

    @contextlib.asynccontextmanager
    async def listening(self, ids: Collection[ScoreId]) -> AsyncIterator[Listen]:
        async with contextlib.AsyncExitStack() as stack:
            tier = self._first if self._state.may_be_there else self._second
            try:
                listen = await stack.enter_async_context(tier.listening(ids))
            except TierUnavailable:
                listen = await stack.enter_async_context(self._second.listening(ids))
            yield listen

    def _try(self, ask: Callable[[Tier], Result], has_written: Callable[[Result], bool] = lambda _: True) -> Result:
        if self._state.may_try():
            try:
                result = ask(self._first)
            except TierUnavailable as error:
                self._state.is_gone(error)
            else:
                self._state.is_there(has_written=has_written(result))
                return result
        return ask(self._second)
