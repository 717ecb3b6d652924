"""How the front door gets its answers: cached ones from Redis alone, all others from the workers.

The door computes nothing and calls no endpoint. It asks the workers for what is missing, once for all who want it, and
waits on one subscription; the workers share the call with everybody else who wants the score, so that each score costs
one call. Nothing here blocks the event loop, and nothing waits longer than a request may take.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from typing import Any, cast

from kombu.exceptions import KombuError
from redis import RedisError
from redis.asyncio import Redis as AsyncRedis

from worker.config.redis_state import RedisState
from worker.domain.answers import Answers, Stored
from worker.domain.errors import DocumentUnavailable, RedisUnavailable
from worker.domain.failures import Failure
from worker.domain.redis_refusals import cure, is_refusal, said
from worker.domain.scores import Answer, Final, NoAnswer, ScoreId
from worker.flight import asked
from worker.flight.documents import document_key, versions_name
from worker.flight.hints import Hints
from worker.flight.looks import Looks, Values
from worker.flight.redis_tier import lease_key, result_key, result_keys
from worker.flight.remembered import Remembered
from worker.flight.results import decode_end, decode_final, is_answer, is_end
from worker.lanes.rings import QUEUE_OF, SCORE

#: Seconds after which a score for which the endpoint's limits had no room is asked for again, if the request lasts
#: that long.
THROTTLED_SECONDS = 1.0
#: Threads that send; a broker that hangs holds up these, and no request.
SENDERS = 4
#: Seconds for which versions are used without a look; a new one is seen that much later.
KNOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """How the workers are asked; each of these blocks."""

    #: One score, by its id.
    score: Callable[[str], object]
    #: Several of one wiki, in one task.
    scores: Callable[[str, Sequence[str]], object]
    #: A document: its kind, the wiki, and its name with whatever its kind needs.
    document: Callable[..., object]


class Door:
    """Answers from Redis, and asks the workers for what is not there."""

    def __init__(
        self,
        redis: AsyncRedis,
        hints: Hints,
        sends: Sends,
        state: RedisState,
        *,
        prefix: str,
        queue_maxsize: int,
        silence_seconds: float,
    ) -> None:
        self._redis = redis
        self._looks = Looks(redis, seconds=silence_seconds)
        self._remembered = Remembered()
        self._hints = hints
        self._sends = sends
        self._state = state
        self._prefix = prefix
        self._queue_maxsize = queue_maxsize
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._asked = asked.Asked()
        #: Wiki and model to a version that answers had lately although another is current, as in a rolling deployment.
        self._newer: dict[tuple[str, str], str] = {}
        #: Documents that are known without a look, until when.
        self._known: dict[str, tuple[Any, float]] = {}

    async def answers(self, ids: Sequence[ScoreId], seconds: float) -> Answers:
        """Answers to *ids*, all of one wiki, failures included; waits no longer than *seconds*.

        Raises:
            RedisUnavailable: there is no way to look or to ask.
        """
        found, until = Answers(), self._now() + seconds
        with self._needing_redis(), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                missing, stale = await self._look_at(ids, found)
                if missing:
                    await self._await(missing, stale, found, until)
        return found

    async def cached(self, ids: Sequence[ScoreId]) -> Answers | None:
        """Answers to *ids*, if all of them are there before; None if one is not.

        Raises:
            RedisUnavailable: there is no way to look.
        """
        with self._needing_redis():
            values = await self._values(ids)
        final = [decode_final(value) for value in values if value is not None and is_answer(value)]
        return Answers(dict(zip(ids, final, strict=True)), cached=len(ids)) if len(final) == len(ids) else None

    def look(
        self,
        wiki: str,
        revisions: Sequence[int],
        models: Sequence[tuple[str, str]],
        tell: Callable[[Sequence[Stored] | None], None],
    ) -> None:
        """Have *tell* called with what is cached of *models*, each with its version, for each of *revisions* in turn.

        At once if all of it is remembered; with None if something is not there, or there is no way to look.
        """
        keys = result_keys(wiki, revisions, models, self._prefix)
        found = self._remembered.find(keys)
        missing = [key for key, stored in zip(keys, found, strict=True) if stored is None]
        if not missing:
            tell(cast("list[Stored]", found))
            return
        if not self._state.may_be_there:
            tell(None)
            return

        def hear(values: Values | Exception) -> None:
            if isinstance(values, Exception):
                if isinstance(values, RedisError):
                    self._state.is_gone(values)
                tell(None)
                return
            if self._state.gone_since is not None:
                self._state.is_there()
            new = map(self._remembered.read, missing, values)
            all_found = [next(new) if stored is None else stored for stored in found]
            tell(None if None in all_found else cast("list[Stored]", all_found))

        self._looks.ask(missing, hear)

    def known_versions(self, wiki: str) -> dict[str, str] | None:
        """The current versions of the models of *wiki* without a look, if they were seen a moment ago."""
        document, until = self._known.get(versions_name(wiki), (None, -inf))
        return document if until > self._now() else None

    async def document(self, name: str, seconds: float, *ask: str) -> Any:
        """The document of that *name*; the workers are asked for it, as *ask* says, where it is not there.

        Returns None where it did not come within *seconds*.

        Raises:
            DocumentUnavailable: a worker could not make it.
            RedisUnavailable: there is no way to look or to ask.
        """
        document, until = self._known.get(name, (None, -inf))
        if until > self._now():
            return document
        with self._needing_redis(), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                found = await self._document(name, ask)
                if found is None:
                    raise DocumentUnavailable(f"a worker could not make {name}; see its log")
                self._tidy_known()
                self._known[name] = (found, self._now() + KNOWN_SECONDS)
                return found
        return None

    async def versions(self, wiki: str, seconds: float) -> dict[str, str] | None:
        """The current versions of the models of *wiki*; None where they did not come, or could not be found out.

        Raises:
            RedisUnavailable: there is no way to look or to ask.
        """
        found: dict[str, str] | None = None
        with contextlib.suppress(DocumentUnavailable):
            found = await self.document(versions_name(wiki), seconds, "versions", wiki)
        return found

    async def close(self) -> None:
        await self._asked.close()
        await self._hints.close()
        await self._looks.close()
        await self._redis.aclose()
        self._senders.shutdown(wait=False, cancel_futures=True)

    async def _look_at(self, ids: Sequence[ScoreId], found: Answers) -> tuple[list[ScoreId], set[str]]:
        """What is not cached, and the holders whose failures are older than this request."""
        stale: set[str] = set()
        for score_id, value in zip(ids, await self._values(ids), strict=True):
            if value is None or not is_end(value):
                continue
            end = decode_end(value)
            if end.holder is None:
                found.by_id[score_id] = end.answer
            else:
                stale.add(end.holder)
        missing = [score_id for score_id in ids if score_id not in found.by_id]
        await self._of_newer_versions(missing, found)
        found.cached = len(found.by_id)
        return [score_id for score_id in ids if score_id not in found.by_id], stale

    async def _of_newer_versions(self, missing: Sequence[ScoreId], found: Answers) -> None:
        """Answers to *missing* that are cached under another version, which is not current yet."""
        others = {
            replace(score_id, version=version): score_id
            for score_id in missing
            if (version := self._newer.get((score_id.wiki, score_id.model))) not in {None, score_id.version}
        }
        for other, value in zip(others, await self._values(list(others)), strict=True):
            if value is not None and is_end(value) and (end := decode_end(value)).holder is None:
                found.by_id[others[other]] = end.answer

    async def _await(self, missing: list[ScoreId], stale: set[str], found: Answers, until: float) -> None:
        async with self._hints.listening([lease_key(score_id, self._prefix) for score_id in missing]) as listen:
            while missing:
                found.refused |= await self._asked.ask(missing, self._send_scores)
                missing = [score_id for score_id in missing if score_id not in found.refused]
                seconds = asked.ASK_AGAIN_SECONDS
                for score_id, value in zip(missing, await self._values(missing), strict=True):
                    end = decode_end(value) if value is not None and is_end(value) else None
                    if end is None or end.holder in stale:
                        continue
                    found.by_id[score_id] = end.answer
                    if (again := self._again(score_id, end.answer, until)) is not None:
                        stale.add(str(end.holder))
                        seconds = min(seconds, again)
                missing = [each for each in missing if each not in found.by_id or self._may_ask_later(each, found)]
                if missing:
                    await listen(seconds)

    def _again(self, score_id: ScoreId, answer: Answer, until: float) -> float | None:
        """Note how *score_id* ended; seconds until it can be asked for again, if there is time and that may help."""
        self._asked.forget(score_id)
        if isinstance(answer, Final) and answer.version != score_id.version:
            self._newer[score_id.wiki, score_id.model] = answer.version
        if not (isinstance(answer, NoAnswer) and answer.failure is Failure.THROTTLED):
            return None
        wait = max(THROTTLED_SECONDS, answer.retry_after or 0.0)
        if self._now() + wait >= until:
            return None
        self._asked.again_in(score_id, wait)
        return wait

    def _may_ask_later(self, score_id: ScoreId, found: Answers) -> bool:
        """Whether the limits had no room for it, so that it will be asked for again."""
        answer = found.by_id[score_id]
        return isinstance(answer, NoAnswer) and score_id in self._asked

    async def _send_scores(self, ids: Sequence[ScoreId]) -> bool:
        """Ask the workers for *ids*, all of one wiki; returns whether their queue had room."""
        if await self._is_full():
            return False
        names = [str(score_id) for score_id in ids]
        if len(names) == 1:
            await self._send(lambda: self._sends.score(names[0]))
        else:
            await self._send(lambda: self._sends.scores(ids[0].wiki, names))
        return True

    async def _document(self, name: str, ask: Sequence[str]) -> Any:
        key = document_key(name, self._prefix)
        (value,) = await self._looks.at([key])
        if value is not None:
            return json.loads(value)

        async def send(_: Sequence[str]) -> bool:
            await self._send(lambda: self._sends.document(*ask, name))
            return True

        async with self._hints.listening([key]) as listen:
            while True:
                (value,) = await self._looks.at([key])
                if value is not None:
                    self._asked.forget(name)
                    return json.loads(value)
                await self._asked.ask([name], send)
                await listen(asked.ASK_AGAIN_SECONDS)

    async def _send(self, send: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._senders, send)

    async def _is_full(self) -> bool:
        """Whether as many requests wait as may: each is a message, however many scores it asks for."""
        waiting: int = await self._looks.soon(lambda: self._redis.llen(self._prefix + QUEUE_OF[SCORE]))
        return waiting >= self._queue_maxsize

    async def _values(self, ids: Sequence[ScoreId]) -> list[bytes | None]:
        keys = [result_key(score_id, self._prefix) for score_id in ids]
        found = [None if stored is None else stored.value for stored in self._remembered.find(keys)]
        missing = [key for key, value in zip(keys, found, strict=True) if value is None]
        if not missing:
            return found
        values = await self._looks.at(missing)
        for key, value in zip(missing, values, strict=True):
            self._remembered.read(key, value)
        left = iter(values)
        return [next(left) if value is None else value for value in found]

    def _tidy_known(self) -> None:
        if len(self._known) > asked.FEWEST_TO_TIDY:
            now = self._now()
            self._known = {name: entry for name, entry in self._known.items() if entry[1] > now}

    @contextlib.contextmanager
    def _needing_redis(self) -> Iterator[None]:
        if not self._state.may_be_there:
            raise RedisUnavailable("Redis does not answer at redis_url; it is tried again in a moment")
        try:
            yield
        except (RedisError, KombuError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            self._state.is_gone(error)
            does = "refuses to serve" if is_refusal(error) else "does not answer"
            raise RedisUnavailable(f"Redis {does} at redis_url: {said(error)}; {cure(error)}") from error
        self._state.is_there()

    @staticmethod
    def _now() -> float:
        # Unlike the loop's, this is no system call.
        return time.monotonic()
