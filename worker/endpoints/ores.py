"""ORES' v3 API: many revisions and models in one request.

Source: wikimedia/ores ores/wsgi/routes/v3/scores.py @ 8369ea0.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from worker.domain.errors import EndpointUnavailable, InformationUnknown
from worker.domain.failures import Failure
from worker.domain.scores import Answer, Hear, Sample, ScoreId, unheard
from worker.domain.thresholds import Statistic
from worker.endpoints.bisecting import RequestRefused
from worker.endpoints.client import Endpoint
from worker.endpoints.replies import OresInformationReply, OresModel, OresReply, OresStatisticsReply
from worker.endpoints.scoring_client import PROBE_EDITS

_Item = TypeVar("_Item")

#: What an ORES tells about a model if it is asked for everything. Source: wikimedia/revscoring
#: revscoring/scoring/models/model.py @ 3db2b95.
EVERYTHING = ("version", "type", "params", "environment", "trained", "statistics", "score_schema")
_UNKNOWN = re.compile(r"Model information could not be retrieved for '?(.*?)'?$")


class OresClient:
    """Asks ORES; a request holds the revisions that want the same models."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def score(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        most = self._endpoint.settings.scores_per_request

        def cut(some: Sequence[ScoreId]) -> Iterator[list[ScoreId]]:
            # Scores with features are asked for in requests of their own.
            for has_features in (False, True):
                yield from requests_for([each for each in some if each.has_features is has_features], most)

        return await self._endpoint.answers(ids, cut, self._ask, hear)

    async def versions(
        self,
        wiki: str,
        models: Sequence[str],
        sample: Sample | None,  # noqa: ARG002 - it tells them without
    ) -> dict[str, str]:
        reply = await self._endpoint.question(f"/v3/scores/{wiki}/", OresReply, wiki=wiki)
        known = reply[wiki].models if wiki in reply else {}
        return {name: model.version for name in models if isinstance(model := known.get(name), OresModel)}

    async def statistics(
        self, wiki: str, model: str, wanted: Sequence[Statistic]
    ) -> tuple[str, dict[Statistic, float | None]]:
        paths = [f'statistics.thresholds.{each.label}."{each.formula}"' for each in wanted]
        params = {"models": model, "model_info": "|".join(["version", *paths])}
        try:
            reply = await self._endpoint.question(f"/v3/scores/{wiki}/", OresStatisticsReply, wiki=wiki, params=params)
            info = reply[wiki].models[model]
            return info.version, info.thresholds(wanted)
        except LookupError as error:
            raise EndpointUnavailable(f"{wiki}: the reply holds nothing of {model}") from error
        except ValueError as error:
            raise EndpointUnavailable(f"{wiki}: the reply about {model} is not right: {error}") from error

    async def information(self, wiki: str, model: str, paths: Sequence[str]) -> dict[str, Any]:
        wanted = list(paths or EVERYTHING)
        while True:
            try:
                return await self._information(wiki, model, wanted)
            except InformationUnknown as error:
                # Older models tell less.
                if paths or error.path not in wanted:
                    raise
                wanted.remove(error.path)

    async def _information(self, wiki: str, model: str, paths: Sequence[str]) -> dict[str, Any]:
        params = {"models": model, "model_info": "|".join(paths)}
        try:
            reply = await self._endpoint.ask(
                "GET", f"/v3/scores/{wiki}/", OresInformationReply, wiki=wiki, params=params
            )
        except RequestRefused as error:
            if error.status == 400 and (found := _UNKNOWN.search(error.sentence)):
                raise InformationUnknown(found[1]) from error
            raise
        try:
            return reply[wiki].models[model]
        except KeyError as error:
            raise EndpointUnavailable(f"{wiki}: the reply holds nothing of {model}") from error

    def claim_size(self, wiki: str, models: Iterable[str]) -> int:
        wanted = set(models)
        allowance = self._endpoint.allowance(wiki, wanted)
        if allowance is None:
            return PROBE_EDITS
        return allowance * max(1, self._endpoint.settings.scores_per_request // max(1, len(wanted)))

    async def close(self) -> None:
        await self._endpoint.close()

    async def _ask(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        wiki = ids[0].wiki
        revisions = sorted({score_id.revision for score_id in ids})
        models = sorted({score_id.model for score_id in ids})
        params = {
            "models": "|".join(models),
            "revids": "|".join(map(str, revisions)),
        }
        if ids[0].has_features:
            params["features"] = "true"
        reply = await self._endpoint.ask(
            "GET", f"/v3/scores/{wiki}/", OresReply, wiki=wiki, models=models, revisions=revisions, params=params
        )
        if wiki not in reply:
            cure = self._endpoint.cures(200, wiki, is_in_its_words=False)
            where = f"GET {self._endpoint.settings.url}/v3/scores/{wiki}/: status 200"
            raise EndpointUnavailable(f"{where}: the reply holds nothing for {wiki}; {cure}", Failure.TRANSIENT)
        return {score_id: reply[wiki].answer(score_id) for score_id in ids}


def requests_for(ids: Sequence[ScoreId], most_scores: int) -> Iterator[list[ScoreId]]:
    """Cut *ids* into requests of at most *most_scores*, each the full product of its revisions and its models."""
    of_revision: dict[int, list[ScoreId]] = defaultdict(list)
    for score_id in sorted(ids, key=lambda score_id: score_id.model):
        of_revision[score_id.revision].append(score_id)
    of_models: dict[tuple[str, ...], list[Sequence[ScoreId]]] = defaultdict(list)
    for wanted in of_revision.values():
        for group in _cut(wanted, most_scores):
            of_models[tuple(score_id.model for score_id in group)].append(group)
    for models, groups in of_models.items():
        for part in _cut(groups, max(1, most_scores // len(models))):
            yield [score_id for group in part for score_id in group]


def _cut(items: Sequence[_Item], most: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + most] for start in range(0, len(items), most))
