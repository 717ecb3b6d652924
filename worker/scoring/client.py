"""The border to a scoring endpoint: what a client offers, and the one place where httpx is spoken."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol, TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from worker.errors import Blame, EndpointUnavailable
from worker.scores import Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.settings import EndpointSettings

Reply = TypeVar("Reply")
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

#: Enough for fifty revisions of a model with sixty-four topics.
LARGEST_REPLY_BYTES = 4 * 1024 * 1024


class ScoringClient(Protocol):
    """Asks an endpoint for scores. Never raises for a score it did not get: that is an answer too."""

    async def score(self, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        """Ask for *ids*, all of one wiki; returns an answer for every one of them."""

    async def versions(self, wiki: str, models: Sequence[str], revision: int) -> dict[str, str]:
        """Return the versions of *models* that the endpoint tells; *revision* may be scored to find out.

        Raises:
            EndpointUnavailable: the endpoint did not answer.
        """

    async def close(self) -> None:
        """Close the connections."""


class Refused(Exception):
    """The endpoint refuses the request as such, with a status of 4xx; asking again would not help."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RequestFailed(EndpointUnavailable):
    """The endpoint is there, but failed over this request: status 500, or not the reply that was asked for."""

    blame = Blame.REQUEST


class NoReplyInTime(EndpointUnavailable):
    """The endpoint took too long, or says that it would."""

    blame = Blame.UNCLEAR


class Endpoint:
    """One scoring endpoint over HTTP, with at most `concurrency` requests under way.

    Made inside the event loop that will use it.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        # The aiohttp transport costs a quarter of plain httpx' processor time per request, and a third less without a
        # client around it, with its merging of URLs, headers and cookies.
        self._http = AiohttpTransport(limits=httpx.Limits(max_connections=settings.concurrency))
        self._headers = {
            "User-Agent": settings.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
        }
        self._extensions = {"timeout": httpx.Timeout(settings.timeout_seconds).as_dict()}

    async def ask(
        self,
        method: str,
        path: str,
        reply: TypeAdapter[Reply],
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Reply:
        """Send one request and return its validated reply.

        Raises:
            EndpointUnavailable: no connection, a redirect, 429 or 5xx.
            NoReplyInTime: time-out, 408 or 504.
            RequestFailed: 500, or not the reply that was asked for; a smaller request may do better.
            Refused: any other 4xx.
        """
        where = f"{method} {self.settings.url}{path}"
        try:
            async with self._slots:
                response = await self._response(method, path, params, body)
        except httpx.TimeoutException as error:
            raise NoReplyInTime(f"{where}: no reply within {self.settings.timeout_seconds:g} s") from error
        # The transport lets through aiohttp's own error for a reply that is no HTTP.
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError) as error:
            raise EndpointUnavailable(f"{where}: {str(error) or type(error).__name__}") from error
        _raise_for_status(where, response)
        return _validated(where, response.content, reply)

    async def close(self) -> None:
        await self._http.aclose()

    async def _response(self, method: str, path: str, params: Mapping[str, str] | None, body: Any) -> httpx.Response:
        url, headers, extensions = f"{self.settings.url.rstrip('/')}{path}", self._headers, self._extensions
        request = httpx.Request(method, url, params=params, headers=headers, json=body, extensions=extensions)
        response = await self._http.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response


def _raise_for_status(where: str, response: httpx.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    if status in {408, 504}:
        raise NoReplyInTime(f"{where}: status {status}")
    if status == 500:
        raise RequestFailed(f"{where}: status 500: {_message_of(response)}")
    if 400 <= status < 500 and status != 429:
        raise Refused(status, _message_of(response))
    raise EndpointUnavailable(f"{where}: status {status}")


def _validated(where: str, content: bytes, reply: TypeAdapter[Reply]) -> Reply:
    if len(content) > LARGEST_REPLY_BYTES:
        raise RequestFailed(f"{where}: a reply of {len(content)} bytes can't be right")
    try:
        return reply.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise RequestFailed(f"{where}: not the reply that was asked for: {place}: {first['msg']}") from error


class ScoreReply(BaseModel):
    """`{"prediction": …, "probability": {…}}`, as ORES and the revscoring servers write a score."""

    model_config = ConfigDict(hide_input_in_errors=True)

    prediction: bool | str | list[str]
    probability: dict[str, Probability]

    def as_score(self, model: str, version: str) -> Score:
        prediction = self.prediction
        if isinstance(prediction, bool):
            prediction = "true" if prediction else "false"
        return Score(
            model=model,
            version=version,
            prediction=tuple(prediction) if isinstance(prediction, list) else prediction,
            probability=self.probability,
        )


def refusal(score_id: ScoreId, error: Refused) -> ScoreError:
    """The final error that a refused request is for one score.

    Source of the texts: machinelearning/liftwing inference-services, revscoring_model @ bce944c0.
    """
    text = str(error)
    gone = error.status == 422 or "does not have any info related to the rev-id" in text
    kind = "RevisionNotFound" if gone else "BadRequest"
    return ScoreError(model=score_id.model, version=score_id.version, type=kind, message=text)


def no_answers(ids: Sequence[ScoreId], error: Exception) -> dict[ScoreId, Answer]:
    """The same transient failure for all of *ids*."""
    blame = error.blame if isinstance(error, EndpointUnavailable) else Blame.REQUEST
    return dict.fromkeys(ids, NoAnswer(str(error), blame))


def _message_of(response: httpx.Response) -> str:
    """The sentence in an error reply: ORES' `error.message`, Lift Wing's `error` or `detail`; else the status."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        error = body.get("error", body.get("detail"))
        if isinstance(error, dict):
            error = error.get("message")
        if isinstance(error, str) and error:
            return error[:500]
    return f"status {response.status_code}"
