"""Something happening between the endpoint's answer and the settlement."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.domain.scores import Answer, ScoreId
from worker.domain.thresholds import Statistic
from worker.endpoints.client import NO_PAGES, ScoringClient


class InterruptedClient:
    """The real client at the border, with something happening between its answer and the settlement."""

    def __init__(self, client: ScoringClient, happening: Callable[[], None]) -> None:
        self._client = client
        self._happening = happening

    async def score(self, ids: Sequence[ScoreId], pages: Mapping[int, int] = NO_PAGES) -> dict[ScoreId, Answer]:
        answers = await self._client.score(ids, pages)
        self._happening()
        return answers

    async def versions(
        self, wiki: str, models: Sequence[str], revision: int, pages: Mapping[int, int]
    ) -> dict[str, str]:
        return await self._client.versions(wiki, models, revision, pages)

    async def statistics(
        self, wiki: str, model: str, wanted: Sequence[Statistic]
    ) -> tuple[str, dict[Statistic, float | None]]:
        return await self._client.statistics(wiki, model, wanted)

    def appetite(self, models: Iterable[str]) -> int:
        return self._client.appetite(models)

    async def close(self) -> None:
        await self._client.close()


def interrupted(services: Services, happening: Callable[[], None]) -> Wiki:
    wiki = services.wiki("enwiki")
    return dataclasses.replace(wiki, client=InterruptedClient(wiki.client, happening))
