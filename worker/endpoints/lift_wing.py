"""Lift Wing's `:predict` API: one revision a request, or up to twenty of one language if the server takes several."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from worker.domain.errors import EndpointUnavailable, InformationUnknown
from worker.domain.models import LiftWingServer, ScoringModel
from worker.domain.scores import UNKNOWN_VERSION, Answer, Hear, NoAnswer, Sample, Score, ScoreError, ScoreId, unheard
from worker.domain.thresholds import Statistic
from worker.endpoints.client import Endpoint
from worker.endpoints.lift_wing_servers import SERVERS, LiftWingNames, ServerProtocol
from worker.endpoints.scoring_client import PROBE_EDITS

#: Kubernetes namespace of each model server; a part of its Host header. Source: operations/deployment-charts
#: helmfile.d/ml-services @ 66ce6e0.
REVSCORING_NAMESPACES = {
    "articlequality": "revscoring-articlequality",
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
    LiftWingServer.ARTICLE_QUALITY_V2: "article-models",
    LiftWingServer.OUTLINK_TOPIC: "articletopic-outlink",
}
#: How long replies with the versions of models are waited for, if some have come.
SAMPLE_SECONDS = 2.0
#: Server of models that share one with another.
SERVER_NAMES = {LiftWingServer.ARTICLE_QUALITY_V2: "articlequality"}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a model of a wiki."""

    path: str
    host: str


def server_address(wiki: str, name: str, model: ScoringModel) -> Address:
    """The address of *model*, which is called *name* here; for revscoring models each wiki has a server of its own."""
    there = model.lift_wing_name or name
    if model.server is LiftWingServer.REVSCORING:
        namespace = REVSCORING_NAMESPACES.get(there, f"revscoring-{there}")
        there = f"{wiki}-{there}"
    else:
        namespace = NAMESPACES[model.server]
    host = SERVER_NAMES.get(model.server, there)
    return Address(f"/v1/models/{there}:predict", f"{host}.{namespace}.wikimedia.org")


#: Finds the pages of revisions of a wiki; those that are gone are left out. None: the wiki has no API set.
FindPages = Callable[[str, Collection[int]], Awaitable[Mapping[int, int] | None]]


async def nobody_to_ask(wiki: str, revisions: Collection[int]) -> None:
    """Used if no wiki's API is set."""


class LiftWingClient:
    """Asks Lift Wing, for each model the model's own server."""

    def __init__(
        self,
        endpoint: Endpoint,
        models: Mapping[str, ScoringModel],
        languages: Mapping[str, str | None],
        find_pages: FindPages = nobody_to_ask,
    ) -> None:
        self._endpoint = endpoint
        self._find_pages = find_pages
        self._models = models
        #: Wiki to the language code Lift Wing knows it by.
        self._languages = languages
        #: By wiki and model, as found for the first request.
        self._known: dict[tuple[str, str], tuple[ServerProtocol, Address, LiftWingNames]] = {}

    async def score(self, ids: Sequence[ScoreId], hear: Hear = unheard) -> dict[ScoreId, Answer]:
        # A request without the page would be refused, and that would be our fault.
        homeless = [each for each in ids if self._models[each.model].server.needs_page and not each.page]
        found, pageless = await self._with_pages(homeless)
        wanted = [*(each for each in ids if each not in homeless), *found]
        return await self._endpoint.answers(wanted, self._requests, self._ask, hear) | pageless

    async def _with_pages(self, ids: Sequence[ScoreId]) -> tuple[list[ScoreId], dict[ScoreId, Answer]]:
        """Those of *ids* whose pages the wiki's API knows, with these pages, and the answers to the others."""
        if not ids:
            return [], {}
        wiki = ids[0].wiki
        try:
            pages = await self._find_pages(wiki, {score_id.revision for score_id in ids})
        except EndpointUnavailable as error:
            return [], dict.fromkeys(ids, NoAnswer(str(error), error.failure, error.retry_after))
        why = f"{wiki} has no such page" if pages is not None else f"it is not known; set wikis.{wiki}.api_url"
        found = [replace(each, page=pages[each.revision]) for each in ids if pages and each.revision in pages]
        return found, {each: _without_page(each, why) for each in ids if each not in found}

    async def versions(self, wiki: str, models: Sequence[str], sample: Sample | None) -> dict[str, str]:
        # Lift Wing has no address for versions. Only a reply has one, so a revision is scored to find out.
        versions = {model: version for model in models if (version := self._models[model].version)}
        if sample is None:
            return versions
        answers = await self._samples(
            [
                ScoreId(wiki, model, sample.revision, UNKNOWN_VERSION, sample.page)
                for model in models
                if model not in versions
            ]
        )
        versions |= {answer.model: answer.version for answer in answers.values() if isinstance(answer, Score)}
        silent = next((answer for answer in answers.values() if isinstance(answer, NoAnswer)), None)
        # If one model does not answer, the versions of the others are kept.
        if silent is not None and not versions:
            raise EndpointUnavailable(silent.error, silent.failure, silent.retry_after)
        return versions

    async def _samples(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        """Answers to *ids*; where some have come, the others are not waited for long."""
        came: dict[ScoreId, Answer] = {}
        asking = asyncio.ensure_future(self.score(ids, came.update))
        try:
            while not (came or asking.done()):
                await asyncio.wait({asking}, timeout=SAMPLE_SECONDS)
            return await asking if asking.done() else came
        finally:
            asking.cancel()

    async def statistics(
        self,
        wiki: str,
        model: str,
        wanted: Sequence[Statistic],  # noqa: ARG002 - the protocol's
    ) -> tuple[str, dict[Statistic, float | None]]:
        raise EndpointUnavailable(
            f"{wiki}: Lift Wing has no statistics of {model}; write numbers in place of the formulas"
        )

    async def information(
        self,
        wiki: str,  # noqa: ARG002 - the protocol's
        model: str,  # noqa: ARG002
        paths: Sequence[str],
    ) -> dict[str, Any]:
        # It tells only versions, and only together with scores.
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
        server, address, asked = self._names(wiki, name)
        revisions = [score_id.revision for score_id in ids]
        host = address.host if self._endpoint.settings.host_routing else None
        body = server.body(ids, asked)
        reply = await self._endpoint.ask(
            "POST", address.path, server.reply, wiki=wiki, models=[name], revisions=revisions, body=body, host=host
        )
        return server.answers(reply, ids, asked)

    def _names(self, wiki: str, name: str) -> tuple[ServerProtocol, Address, LiftWingNames]:
        """Whom to ask for the scores of the model that is called *name* here, and by which names."""
        found = self._known.get((wiki, name))
        if found is None:
            model = self._models[name]
            asked = LiftWingNames(self._languages.get(wiki), model.lift_wing_name or name)
            found = self._known[wiki, name] = (SERVERS[model.server], server_address(wiki, name, model), asked)
        return found


def _without_page(score_id: ScoreId, why: str) -> ScoreError:
    message = f"{score_id.model} needs the page of revision {score_id.revision}, and {why}"
    return ScoreError(model=score_id.model, version=score_id.version, type="PageNotFound", message=message)


def _edits(allowance: int, requests_an_edit: float) -> int:
    """How many edits *allowance* requests are enough for; at least one, if any."""
    return max(1, int(allowance / requests_an_edit)) if allowance and requests_an_edit else allowance
