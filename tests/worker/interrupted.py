"""Something happening between the endpoint's answer and the settlement."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.worker.lines import consumer_of_edits
from worker.bootstrap import Services
from worker.domain.scores import Answer, Hear, Sample, ScoreId, unheard
from worker.domain.thresholds import Statistic
from worker.endpoints.scoring_client import ScoringClient


class InterruptedClient:
    """The real client at the border, with something happening between its answer and the settlement."""

    def __init__(self, client: ScoringClient, happening: Callable[[], None]) -> None:
        self._client = client
        self._happening = happening

    async def score(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        answers = await self._client.score(ids, hear)
        self._happening()
        return answers

    async def versions(self, wiki: str, models: Sequence[str], sample: Sample | None) -> dict[str, str]:
        return await self._client.versions(wiki, models, sample)

    async def statistics(
        self, wiki: str, model: str, wanted: Sequence[Statistic]
    ) -> tuple[str, dict[Statistic, float | None]]:
        return await self._client.statistics(wiki, model, wanted)

    async def information(self, wiki: str, model: str, paths: Sequence[str]) -> dict[str, Any]:
        return await self._client.information(wiki, model, paths)

    def claim_size(self, wiki: str, models: Iterable[str]) -> int:
        return self._client.claim_size(wiki, models)

    async def close(self) -> None:
        await self._client.close()


def interrupted(services: Services, happening: Callable[[], None]) -> Services:
    client = InterruptedClient(services.client, happening)
    edits = dataclasses.replace(consumer_of_edits(services), client=client)
    return dataclasses.replace(services, consumers={**services.consumers, edits.lane.name: edits})
