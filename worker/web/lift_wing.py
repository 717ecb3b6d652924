"""Lift Wing's door: `POST /v1/models/<name>:predict`, in front of the same scores as ORES'.

Source: wikimedia/mediawiki-extensions-ORES includes/LiftWingService.php @ e8804727, and the servers' own code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from worker.domain.errors import DocumentUnavailable, RedisUnavailable
from worker.domain.failures import Failure
from worker.domain.json_text import to_json
from worker.domain.models import LiftWingServer
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError
from worker.web import shapes
from worker.web.bodies import read_body, read_json
from worker.web.handling import Handling
from worker.web.predicting import (
    MISSING,
    InvalidInput,
    ModelServer,
    no_prediction,
    qualities,
    quality,
    read_inputs,
    risk,
    servers_of,
)
from worker.web.questions import Parameters, Question
from worker.web.refusals import RETRY_SECONDS, TIMED_OUT, Refusal, overloaded
from worker.web.replies import HEADERS
from worker.web.scoring import Scored
from worker.web.topics import PageQuestion, not_fetched, read_page, topics

#: The status of a reply about a revision that is gone, by the key under which the server writes errors.
UNPROCESSABLE = {"error": 400, "detail": 422}


class LiftWingRoutes:
    """One address for each model server."""

    def __init__(self, handling: Handling) -> None:
        self._handling = handling
        self._context = handling.context
        self._servers = servers_of(handling.context.wikis)

    def routes(self) -> Sequence[BaseRoute]:
        predict = Route("/v1/models/{name}:predict", self._handling.at(self.predict), methods=["POST"])
        return [predict, Route("/v1/models/{name}", self._handling.at(self.model), methods=["GET"])]

    async def model(self, request: Request, _parameters: Parameters) -> Response:
        """Whether that model is there."""
        name = request.path_params["name"]
        return _reply({"name": name, "ready": True}) if name in self._servers else _unknown(name)

    async def predict(self, request: Request, _parameters: Parameters) -> Response:
        name = request.path_params["name"]
        server = self._servers.get(name)
        if server is None:
            return _unknown(name)
        try:
            inputs = read_json(await read_body(request, self._context.settings))
            if server.server is LiftWingServer.OUTLINK_TOPIC:
                return await self._topics(request, server, read_page(server, inputs, self._context))
            question, is_several = read_inputs(server, inputs, self._context)
            is_extended = isinstance(inputs, dict) and inputs.get("extended_output") in (True, "true")
            scored = await self._handling.scored(request, question)
            return self._answered(server, scored, is_several=is_several, is_extended=is_extended)
        except InvalidInput as error:
            return _refused(server, 400, str(error))
        except (RedisUnavailable, DocumentUnavailable):
            return _refused(server, 503, str(overloaded()), RETRY_SECONDS)
        except Refusal as refusal:
            return _refused(server, refusal.status, refusal.message, refusal.retry_after)

    async def _topics(self, request: Request, server: ModelServer, asked: PageQuestion) -> Response:
        """The topics of a page are those of its newest revision, which a worker knows."""
        revision, called = asked.revision, f"revision {asked.revision} of {asked.called}"
        if revision is None:
            name, seconds = f"latest:{asked.wiki}:{asked.key}", self._context.settings.timeout_seconds
            latest = await self._context.asking.document(name, seconds, "latest", asked.wiki, asked.key)
            if latest is None:
                raise Refusal(504, TIMED_OUT)
            if "revision" not in latest:
                code = "missingtitle" if "page_title" in asked.page else "nosuchpageid"
                return _reply({"detail": not_fetched(asked.called, code)}, 400)
            revision = latest["revision"]
        scored = await self._handling.scored(request, Question(asked.wiki, (server.model,), (revision,)))
        answer = scored.answers[revision][server.model]
        if isinstance(answer, NoAnswer):
            return _failed(server, answer)
        if isinstance(answer, ScoreError):
            is_missing = answer.type == "RevisionNotFound"
            return _reply({"detail": not_fetched(called, "nosuchrevid") if is_missing else answer.message}, 400)
        return _reply(topics(asked, answer))

    def _answered(self, server: ModelServer, scored: Scored, *, is_several: bool, is_extended: bool) -> Response:
        answers = {revision: by_model[server.model] for revision, by_model in scored.answers.items()}
        for answer in answers.values():
            if isinstance(answer, NoAnswer):
                return _failed(server, answer)
        gone = {revision: answer for revision, answer in answers.items() if isinstance(answer, ScoreError)}
        found = {revision: answer for revision, answer in answers.items() if isinstance(answer, Score)}
        if server.wiki is not None:
            return _final(server, gone) if gone else _reply(shapes.v3(scored))
        language = self._context.languages.get(scored.question.wiki)
        is_quality = server.server is LiftWingServer.ARTICLE_QUALITY_V2
        if gone and (is_quality or not found):
            revision, answer = next(iter(gone.items()))
            is_missing = answer.type == "RevisionNotFound"
            return _refused(server, 422, no_prediction(revision, language) if is_missing else answer.message)
        if is_quality:
            classes = self._context.wikis[scored.question.wiki][server.model].classes
            return _reply(qualities(list(found.values()), sorted(classes, key=classes.__getitem__)))
        if server.server is LiftWingServer.ARTICLE_QUALITY:
            ((revision, score),) = found.items()
            return _reply(quality(language, revision, score, is_extended=is_extended))
        predictions = [risk(server, scored.question.wiki, each, score) for each, score in found.items()]
        if not is_several:
            return _reply(predictions[0])
        errors = [no_prediction(revision, language) for revision in gone]
        return _reply({"predictions": predictions} | ({"errors": errors} if errors else {}))


def _final(server: ModelServer, gone: Mapping[int, ScoreError]) -> Response:
    revision, answer = next(iter(gone.items()))
    is_missing = answer.type == "RevisionNotFound"
    return _refused(server, UNPROCESSABLE[server.envelope], MISSING.format(revision) if is_missing else answer.message)


def _failed(server: ModelServer, answer: Answer) -> Response:
    if isinstance(answer, NoAnswer) and answer.failure is Failure.LATE:
        return _refused(server, 504, TIMED_OUT)
    return _refused(server, 503, shapes.FAILED, RETRY_SECONDS)


def _unknown(name: str) -> Response:
    return _reply({"error": f"Model with name {name} does not exist."}, 404)


def _refused(server: ModelServer, status: int, message: str, retry_after: int | None = None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _reply({server.envelope: message}, status, headers)


def _reply(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(document), status, {**HEADERS, **(headers or {})}, "application/json")
