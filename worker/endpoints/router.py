"""Several endpoints as one: each score is asked for at the endpoint of its model."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from worker.config.telemetry import log
from worker.domain.models import ScoringModel
from worker.domain.scores import Answer, Hear, Sample, ScoreId, unheard
from worker.domain.thresholds import Statistic
from worker.endpoints.scoring_client import ScoringClient

#: The claim size for edits that no model scores, for which no endpoint is asked.
NO_LIMIT = 1_000_000


class EndpointRouter:
    """A client of all endpoints; for each model it asks the endpoint that the model names."""

    def __init__(self, clients: Mapping[str, ScoringClient], models: Mapping[str, ScoringModel]) -> None:
        self._clients = clients
        self._models = models

    async def score(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        by_endpoint: dict[str, list[ScoreId]] = defaultdict(list)
        for score_id in ids:
            by_endpoint[self._models[score_id.model].endpoint].append(score_id)
        replies = await asyncio.gather(*(self._clients[name].score(some, hear) for name, some in by_endpoint.items()))
        return {score_id: answer for reply in replies for score_id, answer in reply.items()}

    async def versions(self, wiki: str, models: Sequence[str], sample: Sample | None) -> dict[str, str]:
        replies = await asyncio.gather(
            *(self._clients[name].versions(wiki, some, sample) for name, some in self._by_endpoint(models).items()),
            return_exceptions=True,
        )
        told = [reply for reply in replies if not isinstance(reply, BaseException)]
        # An endpoint that does not answer must not hide the versions of the others.
        for error in replies:
            if isinstance(error, BaseException) and not (isinstance(error, Exception) and any(told)):
                raise error
            if isinstance(error, Exception):
                log.warning("endpoint_unavailable", wiki=wiki, error=str(error))
        return {model: version for reply in told for model, version in reply.items()}

    async def statistics(
        self, wiki: str, model: str, wanted: Sequence[Statistic]
    ) -> tuple[str, dict[Statistic, float | None]]:
        return await self._clients[self._models[model].endpoint].statistics(wiki, model, wanted)

    async def information(self, wiki: str, model: str, paths: Sequence[str]) -> dict[str, Any]:
        return await self._clients[self._models[model].endpoint].information(wiki, model, paths)

    def claim_size(self, wiki: str, models: Iterable[str]) -> int:
        """The claim size of the slowest endpoint of *models*; 0 only while all of them are to be left alone.

        One that is to be left alone holds up no other: its scores are asked for again later.
        """
        sizes = [self._clients[name].claim_size(wiki, some) for name, some in self._by_endpoint(models).items()]
        return min((size for size in sizes if size), default=0 if sizes else NO_LIMIT)

    async def close(self) -> None:
        async with AsyncExitStack() as opened:
            for client in self._clients.values():
                opened.push_async_callback(client.close)

    def _by_endpoint(self, models: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for model in models:
            found[self._models[model].endpoint].append(model)
        return found
