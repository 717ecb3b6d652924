"""Lift Wing's `:predict` API: a revision a request, or up to twenty of one language where the server takes several."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.domain.errors import EndpointUnavailable, InformationUnknown
from worker.domain.models import LiftWingServer, ScoringModel
from worker.domain.scores import Answer, NoAnswer, Sample, Score, ScoreError, ScoreId
from worker.domain.thresholds import Statistic
from worker.endpoints.client import PROBE_EDITS, Endpoint
from worker.endpoints.lift_wing_servers import SERVERS

#: Kubernetes namespace of each model server, by which its Host header is made.
#: Source: mediawiki/extensions/ORES includes/LiftWingService.php @ e8804727.
REVSCORING_NAMESPACES = {
    "articlequality": "revscoring-articlequality",
    "wp10": "revscoring-articlequality",
    "itemquality": "revscoring-articlequality",
    "articletopic": "revscoring-articletopic",
    "itemtopic": "revscoring-articletopic",
    "draftquality": "revscoring-draftquality",
    "drafttopic": "revscoring-drafttopic",
    "damaging": "revscoring-editquality-damaging",
    "goodfaith": "revscoring-editquality-goodfaith",
    "reverted": "revscoring-editquality-reverted",
}
NAMESPACES = {
    LiftWingServer.REVERT_RISK: "revertrisk",
    LiftWingServer.REVERT_RISK_MULTILINGUAL: "revertrisk",
    LiftWingServer.REVERT_RISK_WIKIDATA: "revertrisk",
    LiftWingServer.ARTICLE_QUALITY: "article-models",
    LiftWingServer.OUTLINK_TOPIC: "articletopic-outlink",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model of a wiki is asked for."""

    path: str
    host: str


def address_of(wiki: str, name: str, model: ScoringModel) -> Address:
    """The address of *model*, which is called *name* here; revscoring servers are one a wiki."""
    there = model.lift_wing_name or name
    if model.server is LiftWingServer.REVSCORING:
        namespace = REVSCORING_NAMESPACES.get(there, f"revscoring-{there}")
        there = f"{wiki}-{there}"
    else:
        namespace = NAMESPACES[model.server]
    return Address(f"/v1/models/{there}:predict", f"{there}.{namespace}.wikimedia.org")


class LiftWingClient:
    """Asks Lift Wing, each model of its own server."""

    def __init__(
        self, endpoint: Endpoint, models: Mapping[str, ScoringModel], languages: Mapping[str, str | None]
    ) -> None:
        self._endpoint = endpoint
        self._models = models
        #: Wiki to the language code Lift Wing knows it by.
        self._languages = languages

    async def score(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        # To ask for one without its page would be our own fault, and be refused as that.
        homeless = {each for each in ids if self._models[each.model].server.needs_page and not each.page}
        wanted = [score_id for score_id in ids if score_id not in homeless]
        answers = await self._endpoint.answers(wanted, self._requests, self._ask)
        return answers | {score_id: _without_page(score_id) for score_id in homeless}

    async def versions(self, wiki: str, models: Sequence[str], sample: Sample | None) -> dict[str, str]:
        # Lift Wing has no address for versions: only a reply tells one, so a revision is scored to find out.
        told = {model: version for model in models if (version := self._models[model].version)}
        if sample is None:
            return told
        answers = await self.score(
            [ScoreId(wiki, model, sample.revision, "unknown", sample.page) for model in models if model not in told]
        )
        told |= {answer.model: answer.version for answer in answers.values() if isinstance(answer, Score)}
        silent = next((answer for answer in answers.values() if isinstance(answer, NoAnswer)), None)
        # One model's silence costs no other's version.
        if silent is not None and not told:
            raise EndpointUnavailable(silent.error, silent.failure, silent.retry_after)
        return told

    async def statistics(
        self,
        wiki: str,
        model: str,
        wanted: Sequence[Statistic],  # noqa: ARG002 - the protocol's
    ) -> tuple[str, dict[Statistic, float | None]]:
        raise EndpointUnavailable(
            f"{wiki}: Lift Wing tells no statistics of {model}; write numbers in place of the formulas"
        )

    async def information(
        self,
        wiki: str,  # noqa: ARG002 - the protocol's
        model: str,  # noqa: ARG002
        paths: Sequence[str],
    ) -> dict[str, Any]:
        # It tells versions only, and these with its scores.
        if paths:
            raise InformationUnknown(paths[0])
        return {}

    def claim_size(self, wiki: str, models: Iterable[str]) -> int:
        wanted = set(models)
        allowance = self._endpoint.allowance(wiki, wanted)
        if allowance is None:
            return PROBE_EDITS
        return _edits(allowance, sum(1 / self._most(model) for model in wanted))

    async def close(self) -> None:
        await self._endpoint.close()

    def _requests(self, ids: Sequence[ScoreId]) -> Iterator[Sequence[ScoreId]]:
        by_model: dict[str, list[ScoreId]] = defaultdict(list)
        for score_id in ids:
            by_model[score_id.model].append(score_id)
        for model, group in by_model.items():
            for start in range(0, len(group), self._most(model)):
                yield group[start : start + self._most(model)]

    def _most(self, model: str) -> int:
        most = SERVERS[self._models[model].server].most
        return min(most, self._endpoint.settings.instances_per_request)

    async def _ask(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        wiki, name = ids[0].wiki, ids[0].model
        model = self._models[name]
        revisions = [score_id.revision for score_id in ids]
        server, address, language = SERVERS[model.server], address_of(wiki, name, model), self._languages.get(wiki)
        host = address.host if self._endpoint.settings.host_routing else None
        body = server.body(ids, language)
        reply = await self._endpoint.ask(
            "POST", address.path, server.reply, wiki=wiki, models=[name], revisions=revisions, body=body, host=host
        )
        return server.answers(reply, ids, language)


def _without_page(score_id: ScoreId) -> ScoreError:
    message = f"{score_id.model} scores pages, and the wiki has no page of revision {score_id.revision}"
    return ScoreError(model=score_id.model, version=score_id.version, type="PageNotFound", message=message)


def _edits(allowance: int, requests_an_edit: float) -> int:
    """How many edits *allowance* requests are enough for; at least one, if any."""
    return max(1, int(allowance / requests_an_edit)) if allowance and requests_an_edit else allowance
