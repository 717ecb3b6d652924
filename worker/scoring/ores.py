"""ORES' v3 API: many revisions and models in one request.

Source: wikimedia/ores ores/wsgi/routes/v3/scores.py @ 8369ea0.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, TypeAdapter

from worker.errors import EndpointUnavailable
from worker.scores import Answer, NoAnswer, ScoreError, ScoreId
from worker.scoring.client import Endpoint, Refused, ScoreReply, no_answers, refusal


class _Error(BaseModel):
    type: str
    message: str


class _Entry(BaseModel):
    score: ScoreReply | None = None
    error: _Error | None = None


class _Model(BaseModel):
    version: str


class OresWiki(BaseModel):
    """What ORES says of one wiki: versions of its models, and a score or an error by revision and model."""

    models: dict[str, _Model] = {}
    scores: dict[str, dict[str, _Entry]] = {}

    def answer(self, score_id: ScoreId) -> Answer:
        """What the reply holds for *score_id*; a lack of it is a transient failure of that score alone."""
        entry = self.scores.get(str(score_id.revision), {}).get(score_id.model)
        if entry is None or (entry.score is None and entry.error is None):
            return NoAnswer(f"the reply holds nothing for {score_id}")
        if score_id.model not in self.models:
            return NoAnswer(f"the reply tells no version of {score_id.model}")
        version = self.models[score_id.model].version
        if entry.score is not None:
            return entry.score.as_score(score_id.model, version)
        error = entry.error
        assert error is not None  # noqa: S101 - one of the two is there, as checked above
        return ScoreError(model=score_id.model, version=version, type=error.type, message=error.message)


OresReply = TypeAdapter(dict[str, OresWiki])


class OresClient:
    """Asks ORES; a request holds the revisions that want the same models."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def score(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        requests = requests_for(ids, self._endpoint.settings.scores_per_request)
        replies = await asyncio.gather(*(self._request(request) for request in requests))
        return {score_id: answer for reply in replies for score_id, answer in reply.items()}

    async def versions(self, wiki: str, models: Sequence[str], revision: int) -> dict[str, str]:  # noqa: ARG002
        try:
            reply = await self._endpoint.ask("GET", f"/v3/scores/{wiki}/", OresReply)
        except Refused as error:
            raise EndpointUnavailable(f"{wiki}: the endpoint tells no model versions: {error}") from error
        known = reply[wiki].models if wiki in reply else {}
        return {model: known[model].version for model in models if model in known}

    async def close(self) -> None:
        await self._endpoint.close()

    async def _request(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        wiki = ids[0].wiki
        params = {
            "models": "|".join(sorted({score_id.model for score_id in ids})),
            "revids": "|".join(str(revision) for revision in sorted({score_id.revision for score_id in ids})),
        }
        try:
            reply = await self._endpoint.ask("GET", f"/v3/scores/{wiki}/", OresReply, params=params)
        except EndpointUnavailable as error:
            return no_answers(ids, error)
        except Refused as error:
            return {score_id: refusal(score_id, error) for score_id in ids}
        if wiki not in reply:
            return no_answers(ids, EndpointUnavailable(f"the reply holds nothing for {wiki}"))
        return {score_id: reply[wiki].answer(score_id) for score_id in ids}


def requests_for(ids: Sequence[ScoreId], most_scores: int) -> Iterator[list[ScoreId]]:
    """Cut *ids* into requests of at most *most_scores*, each the full product of its revisions and its models."""
    of_revision: dict[int, list[ScoreId]] = defaultdict(list)
    for score_id in ids:
        of_revision[score_id.revision].append(score_id)
    of_models: dict[tuple[str, ...], list[list[ScoreId]]] = defaultdict(list)
    for wanted in of_revision.values():
        of_models[tuple(sorted(score_id.model for score_id in wanted))].append(wanted)
    for models, groups in of_models.items():
        size = max(1, most_scores // len(models))
        for start in range(0, len(groups), size):
            yield [score_id for group in groups[start : start + size] for score_id in group]
