"""The tier between processes: leases and answers in Redis, hundreds of ids in one script.

A score id has two keys. `ores:<id>` holds the answer, and Celery's result backend reads it under that task id.
`ores-lease:{ores:<id>}` holds the token of whoever computes the score. The braces put both into one slot of a Redis
Cluster, where a script may touch keys of one slot only: there a script runs once for each slot, otherwise once for
some hundred ids.
A script whose reply was lost is run again by the client; a second run of any of them changes nothing more.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from redis import Redis, RedisCluster, RedisError
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisClusterException

from worker.domain.scores import Answer, ScoreId
from worker.flight.results import RESULT_PREFIX, decode_end, decode_final, encode_result, is_answer, is_end
from worker.flight.tiers import Acquired, End, Lease, Lifetimes, Listen, TierUnavailable, is_kept, kept_seconds

#: Keys: result and lease of each id. Arguments: token, milliseconds of a lease; then for each id the token waited for.
ACQUIRE = """
local found = {}
for i = 1, #KEYS, 2 do
  local result, waited_for = redis.call('GET', KEYS[i]), ARGV[(i + 5) / 2]
  if result and (string.find(result, '"answer":{', 1, true)
      or waited_for ~= '' and string.find(result, '"holder":"' .. waited_for .. '"', 1, true)) then
    found[#found + 1] = result
  elseif redis.call('SET', KEYS[i + 1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    found[#found + 1] = 'ours'
  else
    local holder = redis.call('GET', KEYS[i + 1])
    found[#found + 1] = holder == ARGV[1] and 'ours'
      or 'theirs:' .. holder .. ':' .. redis.call('PTTL', KEYS[i + 1])
  end
end
return found
"""

#: Keys: the leases. Arguments: token, milliseconds of a lease. A lease that ran out and was not taken is taken back.
RENEW = """
for i = 1, #KEYS do
  local holder = redis.call('GET', KEYS[i])
  if not holder or holder == ARGV[1] then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
  end
end
"""

#: Keys: result and lease of each id. Arguments: token; then for each id its end and the milliseconds to keep it, less
#: than 0 for an end that is handed over and 0 for none. Stores, releases and wakes; returns the answers that were
#: cached before and so count.
FINISH = """
local stood = {}
for i = 1, #KEYS, 2 do
  local result, milliseconds, holder = ARGV[i + 1], tonumber(ARGV[i + 2]), redis.call('GET', KEYS[i + 1])
  if milliseconds ~= 0 then
    local there = redis.call('GET', KEYS[i])
    if there and string.find(there, '"answer":{', 1, true) then
      stood[#stood + 1] = (i - 1) / 2
      stood[#stood + 1] = there
    elseif milliseconds > 0 or not holder or holder == ARGV[1] then
      redis.call('SET', KEYS[i], result, 'PX', math.abs(milliseconds))
      redis.call('PUBLISH', KEYS[i], result)
    end
  end
  if holder == ARGV[1] then
    redis.call('DEL', KEYS[i + 1])
  end
  redis.call('PUBLISH', KEYS[i + 1], '')
end
return stood
"""


#: Ids for one run of a script: Redis serves nobody else meanwhile, with so many for two or three milliseconds.
MOST_AT_ONCE = 500
#: Seconds after which a listener looks by itself, since its connection may have gone silent.
LONGEST_LISTEN_SECONDS = 3.0


class RedisTier:
    """Leases and answers in one Redis, or in a Redis Cluster, with *prefix* before each key."""

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        connect: Callable[[], AsyncRedis],
        lifetimes: Lifetimes,
        *,
        prefix: str = "",
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        #: Opens a connection for listening, in the event loop that listens.
        self._connect = connect
        self._lifetimes = lifetimes
        self._lease_milliseconds = round(lifetimes.lease * 1000)
        self._acquire: Any = redis.register_script(ACQUIRE)
        self._renew: Any = redis.register_script(RENEW)
        self._finish: Any = redis.register_script(FINISH)

    def acquire(self, ids: Sequence[ScoreId], token: str, waited_for: Mapping[ScoreId, str]) -> Acquired:
        acquired = Acquired()
        for group in self._groups(ids):
            waited = [waited_for.get(score_id, "") for score_id in group]
            with _translated_errors():
                found = self._acquire(keys=self._keys(group), args=[token, self._lease_milliseconds, *waited])
            for score_id, state in zip(group, found, strict=True):
                _sort(acquired, score_id, state)
        return acquired

    def renew(self, ids: Collection[ScoreId], token: str) -> None:
        for group in self._groups(ids):
            with _translated_errors():
                leases = [lease_key(score_id, self._prefix) for score_id in group]
                self._renew(keys=leases, args=[token, self._lease_milliseconds])

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        standing = dict(answers)
        for group in self._groups(dict.fromkeys([*ids, *answers])):
            arguments: list[str | int] = [token]
            for score_id in group:
                arguments += self._end(score_id, answers.get(score_id), token)
            with _translated_errors():
                stood = self._finish(keys=self._keys(group), args=arguments)
            for index, result in zip(stood[::2], stood[1::2], strict=True):
                standing[group[index]] = decode_final(result)
        return standing

    def ends(self, ids: Sequence[ScoreId]) -> dict[ScoreId, End]:
        found: dict[ScoreId, End] = {}
        for group in self._groups(ids):
            with _translated_errors():
                results: Any = self._redis.mget([result_key(score_id, self._prefix) for score_id in group])
            found |= {
                score_id: decode_end(result) for score_id, result in zip(group, results, strict=True) if is_end(result)
            }
        return found

    @contextlib.asynccontextmanager
    async def listening(self, ids: Collection[ScoreId]) -> AsyncIterator[Listen]:
        async with self._connect() as redis, redis.pubsub(ignore_subscribe_messages=True) as channel:
            # The client's own retries may take longer than the listener may wait; the listener's next look is the
            # retry.
            redis.set_retry(Retry(NoBackoff(), 0))
            with _translated_errors():
                await channel.subscribe(*(lease_key(score_id, self._prefix) for score_id in ids))

            async def listen(seconds: float) -> None:
                loop = asyncio.get_running_loop()
                deadline = loop.time() + min(seconds, LONGEST_LISTEN_SECONDS)
                try:
                    while not await channel.get_message(timeout=max(0.0, deadline - loop.time())):
                        if loop.time() >= deadline:
                            return
                    # A holder ends many calls at once; one look is enough for all.
                    while await channel.get_message(timeout=0):
                        pass
                except RedisError:
                    # Only hints are lost; the next look finds out that Redis is gone.
                    await asyncio.sleep(min(seconds, 1))

            yield listen

    def _end(self, score_id: ScoreId, answer: Answer | None, token: str) -> list[str | int]:
        if answer is None:
            return ["", 0]
        if is_kept(score_id, answer):
            return [encode_result(score_id, answer), round(kept_seconds(answer, self._lifetimes) * 1000)]
        return [encode_result(score_id, answer, holder=token), -round(self._lifetimes.handover * 1000)]

    def _keys(self, ids: Sequence[ScoreId]) -> list[str]:
        results = [result_key(score_id, self._prefix) for score_id in ids]
        return [key for result in results for key in (result, _lease_of(result, self._prefix))]

    def _groups(self, ids: Iterable[ScoreId]) -> Iterable[list[ScoreId]]:
        """*ids* in groups, each for one run of a script."""
        if not isinstance(self._redis, RedisCluster):
            together = list(ids)
            return [together[start : start + MOST_AT_ONCE] for start in range(0, len(together), MOST_AT_ONCE)]
        by_slot: dict[int, list[ScoreId]] = defaultdict(list)
        for score_id in ids:
            by_slot[key_slot(result_key(score_id, self._prefix).encode())].append(score_id)
        return by_slot.values()


def result_key(score_id: ScoreId, prefix: str = "") -> str:
    """The key of the cached answer to *score_id*; *prefix* is the setting `redis_prefix`."""
    return f"{prefix}{RESULT_PREFIX}{score_id}"


def result_keys(wiki: str, revisions: Iterable[int], models: Iterable[tuple[str, str]], prefix: str = "") -> list[str]:
    """The result keys of *models*, each with its version, for each of *revisions* in turn."""
    ends = [(f"{prefix}{RESULT_PREFIX}{wiki}:{model}:", f":{version}") for model, version in models]
    return [f"{before}{revision}{after}" for revision in revisions for before, after in ends]


def lease_key(score_id: ScoreId, prefix: str = "") -> str:
    """The key of the lease, in the same slot as the result's key; also the channel on which its end is announced."""
    return _lease_of(result_key(score_id, prefix), prefix)


def _lease_of(result: str, prefix: str) -> str:
    return f"{prefix}ores-lease:{{{result}}}"


def _sort(acquired: Acquired, score_id: ScoreId, state: bytes) -> None:
    if state == b"ours":
        acquired.ours.append(score_id)
    elif state.startswith(b"theirs:"):
        _, token, milliseconds = state.decode().split(":")
        acquired.under_way[score_id] = Lease(token, int(milliseconds) / 1000)
    elif is_answer(state):
        acquired.cached[score_id] = decode_final(state)
    else:
        acquired.handed_over[score_id] = decode_end(state).answer


@contextlib.contextmanager
def _translated_errors() -> Any:
    try:
        yield
    except (RedisError, RedisClusterException) as error:
        raise TierUnavailable(str(error) or type(error).__name__) from error
