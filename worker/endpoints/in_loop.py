"""A scoring client in the event loop of HTTP, for use from other loops."""

from collections.abc import Iterable, Sequence
from typing import Any

from worker.domain.scores import Answer, Hear, Sample, ScoreId, unheard
from worker.domain.thresholds import Statistic
from worker.endpoints.scoring_client import ScoringClient
from worker.lanes.loops import HttpLoop


class ClientInLoop:
    """Passes every call on to *loop*, in which *client* was made and where its connections are."""

    def __init__(self, client: ScoringClient, loop: HttpLoop) -> None:
        self._client = client
        self._loop = loop

    async def score(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        return await self._loop.call(self._client.score(ids, hear))

    async def versions(self, wiki: str, models: Sequence[str], sample: Sample | None) -> dict[str, str]:
        return await self._loop.call(self._client.versions(wiki, models, sample))

    async def statistics(
        self, wiki: str, model: str, wanted: Sequence[Statistic]
    ) -> tuple[str, dict[Statistic, float | None]]:
        return await self._loop.call(self._client.statistics(wiki, model, wanted))

    async def information(self, wiki: str, model: str, paths: Sequence[str]) -> dict[str, Any]:
        return await self._loop.call(self._client.information(wiki, model, paths))

    def claim_size(self, wiki: str, models: Iterable[str]) -> int:
        return self._client.claim_size(wiki, models)

    async def close(self) -> None:
        await self._loop.call(self._client.close())
