"""Single flight: concurrent requests for one score share one call.

A score id is a key in Redis twice over: `ores:<id>` holds the result, which is also what Celery's result backend reads
under that task id, and `ores-lease:<id>` says that somebody is computing it. One script decides for a whole batch what
is cached, what is being computed elsewhere and what is ours; one script stores results, releases leases and wakes
waiters, so that there is no moment at which a result is neither there nor on its way.

Redis gone: every id is ours. The database's unique key then keeps the rows single; only calls are repeated.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from redis import Redis, RedisError

from worker.errors import Blame
from worker.scores import Answer, Final, NoAnswer, Score, ScoreError, ScoreId
from worker.settings import FlightSettings
from worker.telemetry import log

RESULT_PREFIX = "ores:"
LEASE_PREFIX = "ores-lease:"
#: Between two looks at an id that somebody else computes.
LOOK_AGAIN_SECONDS = 0.05

#: For each id: its result, or "run" with the lease now ours, or "wait".
ACQUIRE = """
local found = {}
for i = 1, #KEYS, 2 do
  local result = redis.call('GET', KEYS[i])
  if result and string.find(result, '"answer"', 1, true) then
    found[#found + 1] = result
  elseif redis.call('SET', KEYS[i + 1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    found[#found + 1] = 'run'
  else
    found[#found + 1] = 'wait'
  end
end
return found
"""

#: For each id: store its result for so many milliseconds (none if 0), wake who waits for it, release the lease if ours.
FINISH = """
for i = 1, #KEYS, 2 do
  local result, milliseconds = ARGV[i + 1], tonumber(ARGV[i + 2])
  if milliseconds > 0 then
    redis.call('SET', KEYS[i], result, 'PX', milliseconds)
    redis.call('PUBLISH', KEYS[i], result)
  end
  if redis.call('GET', KEYS[i + 1]) == ARGV[1] then
    redis.call('DEL', KEYS[i + 1])
  end
end
"""

#: Made once: `json.dumps` makes an encoder at each call that does not want its defaults.
to_json = json.JSONEncoder(separators=(",", ":")).encode

Call = Callable[[Sequence[ScoreId]], Awaitable[dict[ScoreId, Answer]]]


@dataclass(slots=True)
class Flown:
    """What a request for scores came to."""

    answers: dict[ScoreId, Answer] = field(default_factory=dict)
    #: Scores we asked the endpoint for.
    called: int = 0
    #: Scores that somebody else had asked for, before us or at the same time.
    shared: int = 0

    @property
    def is_outage(self) -> bool:
        """Whether nothing was answered, and that for no fault of what was asked."""
        blames = {answer.blame if isinstance(answer, NoAnswer) else None for answer in self.answers.values()}
        several = len({score_id.revision for score_id in self.answers}) > 1
        return blames == {Blame.ENDPOINT} or (several and blames <= {Blame.ENDPOINT, Blame.UNCLEAR})


class Flight:
    """Single flight over one Redis."""

    def __init__(self, redis: Redis, settings: FlightSettings) -> None:
        self._settings = settings
        self._acquire = redis.register_script(ACQUIRE)
        self._finish = redis.register_script(FINISH)
        self._redis_is_gone = False

    async def scores(self, ids: Iterable[ScoreId], call: Call) -> Flown:
        """Return an answer for each of *ids*: from the cache, from another's call under way, or from *call*.

        The calls for one batch end within `call_seconds`, before the leases do; what has no answer by then gets a
        `NoAnswer`. What another holder computes is waited for until its lease must have run out; then it is ours.
        """
        flown = Flown()
        wanted = list(dict.fromkeys(ids))
        deadline = asyncio.get_running_loop().time() + 2 * self._settings.lease_seconds
        while wanted:
            token = uuid.uuid4().hex
            states = self._acquire_all(wanted, token)
            mine = [score_id for score_id, state in states.items() if state == b"run"]
            wanted = [score_id for score_id, state in states.items() if state == b"wait"]
            for score_id, state in states.items():
                if state not in {b"run", b"wait"}:
                    flown.answers[score_id] = decode_result(state)
                    flown.shared += 1
            if mine:
                flown.answers |= await self._call(mine, token, call)
                flown.called += len(mine)
            if wanted and asyncio.get_running_loop().time() >= deadline:
                flown.answers |= dict.fromkeys(wanted, NoAnswer("somebody else is computing it, and has not finished"))
                break
            if wanted:
                await asyncio.sleep(LOOK_AGAIN_SECONDS * (0.5 + random.random()))  # noqa: S311 - only spreads the looks
        return flown

    async def _call(self, ids: Sequence[ScoreId], token: str, call: Call) -> dict[ScoreId, Answer]:
        answers: dict[ScoreId, Answer] = {}
        try:
            async with asyncio.timeout(self._settings.call_seconds):
                answers = await call(ids)
        except TimeoutError:
            late = NoAnswer(f"no answer within {self._settings.call_seconds:g} s", Blame.UNCLEAR)
            answers = dict.fromkeys(ids, late)
        finally:
            # Also when the call was cancelled or failed: a lease must not outlive its holder's interest.
            self._finish_all(ids, token, answers)
        return answers

    def _acquire_all(self, ids: Sequence[ScoreId], token: str) -> dict[ScoreId, bytes]:
        lease_milliseconds = round(self._settings.lease_seconds * 1000)
        states = self._try(lambda: self._acquire(keys=_keys(ids), args=[token, lease_milliseconds]))
        return dict(zip(ids, states or [b"run"] * len(ids), strict=True))

    def _finish_all(self, ids: Sequence[ScoreId], token: str, answers: dict[ScoreId, Answer]) -> None:
        arguments: list[str | int] = [token]
        for score_id in ids:
            answer = answers.get(score_id)
            # Under its own id only: a reply of a newer version is not the score that was asked for.
            if isinstance(answer, Score | ScoreError) and answer.version == score_id.version:
                arguments += [encode_result(score_id, answer), self._time_to_live(answer)]
            else:
                arguments += ["", 0]
        self._try(lambda: self._finish(keys=_keys(ids), args=arguments))

    def _time_to_live(self, answer: Final) -> int:
        seconds = self._settings.result_ttl_seconds if isinstance(answer, Score) else self._settings.error_ttl_seconds
        return seconds * 1000

    def _try(self, script: Callable[[], Any]) -> Any:
        """Run *script*; where Redis is gone return None. Says once that it went, and once that it is back."""
        try:
            result = script()
        except RedisError as error:
            if not self._redis_is_gone:
                log.warning("redis_gone", error=str(error), effect="scores are not shared until it is back")
            self._redis_is_gone = True
            return None
        if self._redis_is_gone:
            log.info("redis_back")
        self._redis_is_gone = False
        return result


def encode_result(score_id: ScoreId, answer: Final) -> str:
    """*answer* as Celery's result backend stores a task's end, with the answer itself beside it.

    Source of the fields: celery/celery celery/backends/base.py `_get_result_meta` @ v5.7.0.
    """
    document = answer.model_dump(mode="json")
    if isinstance(answer, Score):
        status, result = "SUCCESS", document
    else:
        refused = [f"{score_id}: {answer.type}: {answer.message}"]
        status = "FAILURE"
        result = {"exc_type": "ScoreRefused", "exc_message": refused, "exc_module": "worker.errors"}
    return to_json(
        {
            "task_id": str(score_id),
            "status": status,
            "result": result,
            "traceback": None,
            "children": [],
            "date_done": datetime.now(UTC).isoformat(),
            "answer": document,
        }
    )


def is_answer(result: bytes | None) -> bool:
    """Whether the value of a result key is an answer of ours; the acquiring script asks the same."""
    return result is not None and b'"answer"' in result


def decode_result(result: bytes) -> Final:
    """Read back what `encode_result` wrote."""
    answer = json.loads(result)["answer"]
    return ScoreError(**answer) if "type" in answer else Score(**answer)


def _keys(ids: Sequence[ScoreId]) -> list[str]:
    return [key for score_id in ids for key in (f"{RESULT_PREFIX}{score_id}", f"{LEASE_PREFIX}{score_id}")]
