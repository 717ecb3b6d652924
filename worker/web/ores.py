"""The routes of ORES: v3, v2 and v1, the last also without its name.

Source: wikimedia/ores ores/wsgi/routes @ 8369ea0.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from worker.web import shapes
from worker.web.bodies import read_body, read_json
from worker.web.handling import Handler, Handling
from worker.web.informing import EVERYTHING, VERSION, information_of
from worker.web.precache import event_of, question_of
from worker.web.questions import Parameters, Question, read_paths, read_question
from worker.web.replies import HEADERS, reply
from worker.web.scoring import Scored

BOTH = ["GET", "POST"]
#: The limit of v1 and v2, where ORES has none.
MOST_OF_OLD = 50


class OresRoutes:
    """ORES' own paths; a slash at the end makes no difference."""

    def __init__(self, handling: Handling) -> None:
        self._handling = handling
        self._context = handling.context

    def routes(self) -> Sequence[BaseRoute]:
        rows: list[tuple[str, Handler, list[str]]] = [
            # Looked through in this order, so what is asked for most comes first.
            ("/v3/scores/{wiki}/{revision:revision}/{model}", self.v3, BOTH),
            ("/v3/scores/{wiki}", self.v3, BOTH),
            ("/v3/scores/{wiki}/{revision:revision}", self.v3, BOTH),
            ("/v3/scores", self.v3_wikis, ["GET"]),
            ("/v3/precache", self.v3_precache, ["POST"]),
            ("/v2/scores", self.v2_wikis, ["GET"]),
            ("/v2/scores/{wiki}", self.v2, ["GET"]),
            ("/v2/scores/{wiki}/{model}", self.v2, ["GET"]),
            ("/v2/scores/{wiki}/{model}/{revision:revision}", self.v2, BOTH),
            ("/v2/precache", self.v2_precache, ["GET"]),
        ]
        for version in ("/v1", ""):
            rows += [
                (f"{version}/scores", self.v1_wikis, ["GET"]),
                (f"{version}/scores/{{wiki}}", self.v1, ["GET"]),
                (f"{version}/scores/{{wiki}}/{{model}}", self.v1, ["GET"]),
                (f"{version}/scores/{{wiki}}/{{model}}/{{revision:revision}}", self.v1, BOTH),
            ]
        return [Route(path, self._handling.at(handler), methods=methods) for path, handler, methods in rows]

    async def v3(self, request: Request, parameters: Parameters) -> Response:
        """Scores of one wiki, or its models where no revision is asked for."""
        found = await self._scored(request, await self._question(request, parameters))
        return self._handling.reply(request, found, shapes.v3(found), parameters)

    async def v3_wikis(self, _request: Request, parameters: Parameters) -> Response:
        """Every wiki with its models; these have their versions unless something else is asked for."""
        paths = read_paths(parameters) or VERSION
        return reply({wiki: {"models": each} for wiki, each in (await self._all(paths)).items()}, parameters)

    async def v3_precache(self, request: Request, parameters: Parameters) -> Response:
        """Score the edit of a revision-create event in advance."""
        event = read_json(await read_body(request, self._context.settings))
        return await self._precached(request, question_of(event, self._context.wikis), parameters, shapes.v3)

    async def v2(self, request: Request, parameters: Parameters) -> Response:
        found = await self._scored(request, await self._question(request, parameters, most=MOST_OF_OLD))
        return self._handling.reply(request, found, shapes.v2(found), parameters)

    async def v2_wikis(self, _request: Request, parameters: Parameters) -> Response:
        paths = read_paths(parameters)
        versions, info = await self._all(VERSION), await self._all(paths) if paths else {}
        document = {
            wiki: {model: each | ({"info": info[wiki][model]} if paths else {}) for model, each in models.items()}
            for wiki, models in versions.items()
        }
        return reply({"scores": document}, parameters)

    async def v2_precache(self, request: Request, parameters: Parameters) -> Response:
        """The same as v3's, with the event as a parameter."""
        question = question_of(event_of(parameters), self._context.wikis)
        return await self._precached(request, question, parameters, shapes.v2)

    async def v1(self, request: Request, parameters: Parameters) -> Response:
        """Scores of one wiki; without revisions all that is known of its models."""
        question = await self._question(request, parameters, most=MOST_OF_OLD)
        if not question.revisions:
            question = Question(question.wiki, question.models, info=question.info or EVERYTHING)
        found = await self._scored(request, question)
        return self._handling.reply(request, found, shapes.v1(found, request.path_params.get("model")), parameters)

    async def v1_wikis(self, _request: Request, parameters: Parameters) -> Response:
        return reply({"contexts": sorted(self._context.wikis)}, parameters)

    async def _question(self, request: Request, parameters: Parameters, *, most: int = 50) -> Question:
        path = request.path_params
        return read_question(
            self._context.wikis,
            await self._handling.form(request, parameters),
            path["wiki"],
            revision=path.get("revision"),
            model=path.get("model"),
            most=most,
        )

    async def _scored(self, request: Request, question: Question) -> Scored:
        return await self._handling.scored(request, question)

    async def _precached(
        self, request: Request, question: Question | None, parameters: Parameters, shape: Any
    ) -> Response:
        if question is None:
            return Response(status_code=204, headers=HEADERS)
        found = await self._scored(request, question)
        return self._handling.reply(request, found, shape(found), parameters)

    async def _all(self, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What is known about each model of each wiki, by wiki and model; models of unknown version are left out."""
        wikis = self._context.wikis
        return dict(zip(wikis, await asyncio.gather(*(self._one(wiki, paths) for wiki in wikis)), strict=True))

    async def _one(self, wiki: str, paths: Sequence[str]) -> dict[str, Any]:
        seconds = self._context.settings.timeout_seconds
        versions = await self._context.asking.versions(wiki, seconds) or {}
        known = tuple(model for model in self._context.wikis[wiki] if model in versions)
        return await information_of(self._context, Question(wiki, known, info=tuple(paths)), versions, seconds)
