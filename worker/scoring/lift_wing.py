"""Lift Wing's `:predict` API: a revision a request, or up to twenty of one language for revert risk.

Source: machinelearning/liftwing inference-services, revscoring_model and src/models/revert_risk_model @ bce944c0.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter

from worker.errors import EndpointUnavailable
from worker.scores import Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.scoring.client import Endpoint, Probability, Refused, RequestFailed, ScoreReply, no_answers, refusal
from worker.scoring.ores import OresReply
from worker.scoring_models import LiftWingServer, ScoringModel


class _Output(BaseModel):
    prediction: bool
    probabilities: dict[str, Probability]


class _Prediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_version: str
    revision_id: int
    output: _Output

    def as_score(self, model: str) -> Score:
        reply = ScoreReply(prediction=self.output.prediction, probability=self.output.probabilities)
        return reply.as_score(model, self.model_version)


class _Predictions(BaseModel):
    predictions: list[_Prediction]


RevertRiskReply = TypeAdapter(_Predictions)


class LiftWingClient:
    """Asks Lift Wing; revert risk in batches, the revscoring models one by one."""

    def __init__(self, endpoint: Endpoint, models: Mapping[str, ScoringModel], languages: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._models = models
        #: Wiki to the language code Lift Wing knows it by.
        self._languages = languages

    async def score(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        calls = [self._revscoring(score_id) for score_id in ids if not self._takes_batches(score_id.model)]
        batches: dict[str, list[ScoreId]] = defaultdict(list)
        for score_id in ids:
            if self._takes_batches(score_id.model):
                batches[score_id.model].append(score_id)
        size = self._endpoint.settings.instances_per_request
        calls += [
            self._revert_risk(batch[start : start + size])
            for batch in batches.values()
            for start in range(0, len(batch), size)
        ]
        replies = await asyncio.gather(*calls)
        return {score_id: answer for reply in replies for score_id, answer in reply.items()}

    async def versions(self, wiki: str, models: Sequence[str], revision: int) -> dict[str, str]:
        # Lift Wing has no address for versions: only a reply tells one, so a revision is scored to find out.
        answers = await self.score([ScoreId(wiki, model, revision, "unknown") for model in models])
        silent = next((answer for answer in answers.values() if isinstance(answer, NoAnswer)), None)
        if silent is not None:
            raise EndpointUnavailable(silent.error)
        return {answer.model: answer.version for answer in answers.values() if isinstance(answer, Score)}

    async def close(self) -> None:
        await self._endpoint.close()

    def _takes_batches(self, model: str) -> bool:
        return self._models[model].server is LiftWingServer.REVERT_RISK

    async def _revscoring(self, score_id: ScoreId) -> dict[ScoreId, Answer]:
        name = self._models[score_id.model].lift_wing_name or score_id.model
        path = f"/v1/models/{score_id.wiki}-{name}:predict"
        try:
            reply = await self._endpoint.ask("POST", path, OresReply, body={"rev_id": score_id.revision})
        except EndpointUnavailable as error:
            return no_answers([score_id], error)
        except Refused as error:
            return {score_id: refusal(score_id, error)}
        if score_id.wiki not in reply:
            return {score_id: NoAnswer(f"the reply holds nothing for {score_id.wiki}")}
        return {score_id: reply[score_id.wiki].answer(score_id)}

    async def _revert_risk(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        model = ids[0].model
        path = f"/v1/models/{self._models[model].lift_wing_name or model}:predict"
        language = self._languages[ids[0].wiki]
        body = {"instances": [{"rev_id": score_id.revision, "lang": language} for score_id in ids]}
        try:
            reply = await self._endpoint.ask("POST", path, RevertRiskReply, body=body)
        except (Refused, RequestFailed) as error:
            return await self._halve(ids, error)
        except EndpointUnavailable as error:
            return no_answers(ids, error)
        by_revision = {prediction.revision_id: prediction for prediction in reply.predictions}
        return {
            score_id: by_revision[score_id.revision].as_score(model)
            if score_id.revision in by_revision
            else ScoreError(
                model=model, version=score_id.version, type="RevisionNotFound", message="left out of the batch's reply"
            )
            for score_id in ids
        }

    async def _halve(self, ids: Sequence[ScoreId], error: Refused | RequestFailed) -> dict[ScoreId, Answer]:
        """One revision that can't be scored spoils its whole batch: find it, keep the others."""
        if len(ids) == 1:
            return {ids[0]: refusal(ids[0], error)} if isinstance(error, Refused) else no_answers(ids, error)
        middle = len(ids) // 2
        first, second = await asyncio.gather(self._revert_risk(ids[:middle]), self._revert_risk(ids[middle:]))
        return first | second
