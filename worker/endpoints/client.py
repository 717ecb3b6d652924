"""One endpoint, asked within its limits and circuits: what is sent, and what each reply or refusal means."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from worker.config.http_connections import Reply
from worker.config.http_routes import ALL_DIRECT, HttpRoutes
from worker.config.settings_sections import EndpointSettings
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure, failure_of_status, retry_after_seconds
from worker.domain.redirects import advice
from worker.domain.scores import Answer, Final, Hear, ScoreId
from worker.endpoints.bisecting import Ask, RequestRefused, bisected
from worker.endpoints.circuits import Circuits
from worker.endpoints.deadlines import Deadlines, Within
from worker.endpoints.http_requests import HttpRequests
from worker.endpoints.limits import Report
from worker.endpoints.pacer import Pacer
from worker.endpoints.refusals import Cures, cure_of_endpoint, names_one, said_of
from worker.endpoints.replies import ReadsReply, first_problem
from worker.endpoints.sentences import first_line, sentence_in

ReplyType = TypeVar("ReplyType")
#: Cuts scores into the requests in which they are asked for.
Cut = Callable[[Sequence[ScoreId]], Iterable[Sequence[ScoreId]]]


class Endpoint:
    """One scoring endpoint over HTTP, within the limits that all workers share.

    Made inside the event loop that will use it.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        pacer: Pacer,
        routes: HttpRoutes = ALL_DIRECT,
        section: str = "endpoint",
        *,
        setting: str | None = None,
        cures: Cures | None = None,
        asks_for_scores: bool = True,
    ) -> None:
        self.settings = settings
        #: Otherwise a refusal means that it refuses what it exists for.
        self._asks_for_scores = asks_for_scores
        #: The setting that holds the URL, and the cures for refusals; both stand in errors.
        self.setting = setting or f"{section}.url"
        self.cures = cures or partial(cure_of_endpoint, section=section)
        self._pacer = pacer
        self.circuits = Circuits(
            settings.url, lambda reason: pacer.tell(Report(outage=reason)), is_asked_for_scores=asks_for_scores
        )
        self._http = HttpRequests(settings, routes, section)
        self._deadlines = Deadlines(settings.timeout_seconds)

    def allowance(self, wiki: str, models: Collection[str]) -> int | None:
        """How many requests for *models* of *wiki* it makes sense to prepare now; 0 while it is to be left alone.

        None if a probe is due. Safe in any thread.
        """
        is_cut_off = self.circuits.is_cut_off(wiki, models)
        if is_cut_off is None:
            return None
        return 0 if is_cut_off else self._pacer.allowance(wiki)

    async def answers(self, ids: Sequence[ScoreId], cut: Cut, ask: Ask, hear: Hear) -> dict[ScoreId, Answer]:
        """An answer for each of *ids*, all of one wiki: from *ask* for each request into which they are *cut*.

        A request that fails is sent again in parts. Scores whose circuit is open are not asked for, except as a probe.
        *hear* is called with final answers when they come, since one request may take longer than the others.
        """
        admitted = self.circuits.admit(ids)
        requests = [*cut(admitted.asked), *([probe] for probe in admitted.probes)]

        async def heard(request: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
            reply = await bisected(request, partial(self._reported, ask))
            hear({score_id: answer for score_id, answer in reply.items() if isinstance(answer, Final)})
            return reply

        replies = await asyncio.gather(*map(heard, requests))
        found = {score_id: answer for reply in replies for score_id, answer in reply.items()}
        return self.circuits.judged(found | admitted.cut_off)

    async def _reported(self, ask: Ask, ids: Sequence[ScoreId]) -> dict[ScoreId, Answer]:
        """What *ask* gets for *ids*, reported to the circuits."""
        began = time.monotonic()
        try:
            answers = await ask(ids)
        except EndpointUnavailable as error:
            self.circuits.unanswered(ids, error, began)
            raise
        except BaseException:
            self.circuits.not_asked(ids)
            raise
        self.circuits.answered(answers, began)
        return answers

    async def question(
        self,
        path: str,
        reply: ReadsReply[ReplyType],
        *,
        wiki: str,
        params: Mapping[str, str] | None = None,
        judge: Callable[[ReplyType, float | None], None] | None = None,
        is_answer: Callable[[RequestRefused], bool] = lambda _refused: False,
    ) -> ReplyType:
        """Ask something about *wiki* that is not about a revision; *judge* and *is_answer* as for `ask`.

        Raises:
            EndpointUnavailable: there is no valid reply, or the endpoint is not to be asked now.
        """
        self.circuits.admit_question(wiki)
        began = time.monotonic()
        try:
            said = await self.ask("GET", path, reply, wiki=wiki, params=params, judge=judge, is_answer=is_answer)
        except EndpointUnavailable as error:
            if isinstance(error, RequestRefused) and is_answer(error):
                self.circuits.served(wiki)
            else:
                self.circuits.failed(wiki, error, began)
            raise
        self.circuits.served(wiki)
        return said

    async def ask(
        self,
        method: str,
        path: str,
        reply: ReadsReply[ReplyType],
        *,
        wiki: str,
        models: Collection[str] = (),
        revisions: Collection[int] = (),
        params: Mapping[str, str] | None = None,
        body: Any = None,
        host: str | None = None,
        judge: Callable[[ReplyType, float | None], None] | None = None,
        is_answer: Callable[[RequestRefused], bool] = lambda _refused: False,
    ) -> ReplyType:
        """Send one request, when the limits allow it, and return its validated reply.

        It is about *wiki*, and about *models* and *revisions* of it. *host* is the Host header, where a gateway routes
        by it. *judge* raises for a reply that is an error in spite of its status; it also gets the Retry-After. A
        refusal for which *is_answer* is true, such as "no such page", is raised and does not count as a failure.

        Raises:
            EndpointUnavailable: there is no valid reply; the error says which kind of failure that is.
            RequestRefused: the request was refused as a whole; the error has the revisions that the refusal names, if
            any.
        """
        where = f"{method} {self.settings.url}{path}"
        await self._pacer.start(wiki, models)
        began = time.monotonic()
        failed: EndpointUnavailable | None = None
        is_served = False
        try:
            with Within(self._deadlines, self._pacer.here()):
                response = await self._http.send(where, method, path, params, body, host)
            _raise_for_status(where, response, wiki, revisions, self)
            said = _validated(where, response, wiki, revisions, reply, self.cures)
            if judge is not None:
                judge(said, _retry_after(response))
        except TimeoutError as error:
            text = f"{where}: no reply within {self.settings.timeout_seconds:g} s"
            failed = EndpointUnavailable(f"{text}; {self.cures(504, wiki, is_in_its_words=False)}", Failure.LATE)
            raise failed from error
        except EndpointUnavailable as error:
            # An endpoint that names a revision in its refusal does serve.
            is_served = isinstance(error, RequestRefused) and (bool(error.said) or is_answer(error))
            failed = None if is_served else error
            raise
        else:
            is_served = True
            return said
        finally:
            seconds = time.monotonic() - began
            is_told = bool(revisions) or not self._asks_for_scores
            report = Report(served=1, seconds=seconds) if is_served else _report(failed, is_told=is_told)
            self._pacer.end(wiki, models, report)

    async def close(self) -> None:
        await self._http.close()


def _report(failed: EndpointUnavailable | None, *, is_told: bool) -> Report:
    """What a failed request says about the endpoint; nothing if it was given up.

    A refusal is reported only if *is_told*: questions that are not about scores may be refused although scores are
    served.
    """
    report = Report(pause=failed.retry_after or 0.0) if failed else Report()
    match failed.failure if failed else None:
        case Failure.THROTTLED:
            report.throttled, report.throttling = 1, str(failed)
        case Failure.REFUSED if is_told:
            report.refusal = str(failed)
    return report


def _raise_for_status(where: str, response: Reply, wiki: str, revisions: Collection[int], asked: Endpoint) -> None:
    status, content = response.status, response.content
    if status < 300:
        return
    retry_after = _retry_after(response)
    failure = failure_of_status(status, says_when=retry_after is not None)
    sentence, content_type = sentence_in(content), response.header("Content-Type")
    message = ": ".join(filter(None, [where, f"status {status}", sentence or first_line(content, content_type)]))
    said = said_of(status, sentence, revisions)
    if failure is not Failure.REFUSED and not said:
        if failure is not Failure.THROTTLED:
            message = f"{message}; {asked.cures(status, wiki, is_in_its_words=bool(sentence))}"
        raise EndpointUnavailable(message, failure, retry_after)
    if status < 400:
        url, location = where.partition(" ")[2], response.header("Location")
        message = f"{message}; {advice(url, asked.settings.url, location, setting=asked.setting)}"
    elif failure is Failure.REFUSED and not any(isinstance(each, str) for each in said.values()):
        # Words that nobody knows may name a revision and be about all of them.
        message = f"{message}; {asked.cures(status, wiki, is_in_its_words=bool(sentence))}"
    raise RequestRefused(message, status, sentence, said, retry_after)


def _validated(
    where: str,
    response: Reply,
    wiki: str,
    revisions: Collection[int],
    reply: ReadsReply[ReplyType],
    cures: Cures,
) -> ReplyType:
    """The reply about *revisions* in *content*.

    Raises:
        RequestRefused: somebody says in place of the reply why there is none, and not because of one of *revisions*:
            a page of a gateway, such as one that asks for a login, or an error with a status of success.
        EndpointUnavailable: it is another reply, or none.
    """
    try:
        return reply.validate_json(response.content)
    except ValidationError as error:
        status, content, content_type = response.status, response.content, response.header("Content-Type")
        begins, sentence = content.lstrip()[:1], sentence_in(content)
        here, cure = f"{where}: status {status}", cures(status, wiki, is_in_its_words=bool(sentence))
        if begins and begins not in b"{[":
            page = first_line(content, content_type) or "a page in place of the reply"
            raise RequestRefused(f"{here}: {page}; {cure}", status, "", {}) from error
        if sentence and not names_one(sentence, revisions):
            raise RequestRefused(f"{here}: {sentence}; {cure}", status, sentence, {}) from error
        text = f"{here}: {sentence or f'not the reply that was asked for: {first_problem(error)}'}; {cure}"
        raise EndpointUnavailable(text, Failure.TRANSIENT) from error


def _retry_after(response: Reply) -> float | None:
    return retry_after_seconds(response.header("Retry-After"), datetime.now(UTC))
