"""Celery's results under ORES' keys: score id = task id = cache key.

Use it in any Celery application as `result_backend = "worker.flight.result_backend:ScoreBackend+redis://…"`; then
`AsyncResult("enwiki:damaging:745065890:0.5.1").get()` finds a score, whether a turn or a request asked for it.
"""

import time
from typing import Any

from celery.backends import redis as celery_redis
from redis import Connection, RedisError, SSLConnection

from worker.config.redis_connections import RedisConnection, RedisTlsConnection
from worker.config.telemetry import log
from worker.domain.redis_refusals import cure, said
from worker.flight.results import RESULT_PREFIX, is_end

#: Seconds between two looks of a waiting caller.
LOOK_SECONDS = 3.0


class LookingConsumer(celery_redis.ResultConsumer):  # type: ignore[name-defined,misc]  # not in its stubs
    """Waits for results by subscription, and also looks for them now and then: a subscription may go silent."""

    _looked_at = 0.0

    def drain_events(self, timeout: float | None = None) -> None:
        super().drain_events(timeout)
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        if wanted := list(self.subscribed_to):
            with self.reconnect_on_error():
                for result in filter(None, self.backend.client.mget(wanted)):
                    self.on_state_change(self._decode_result(result), None)


class ScoreBackend(celery_redis.RedisBackend):
    """Redis, with the keys `ores:<wiki>:<model>:<revision>:<version>`.

    What single flight has stored is the result of the task, whatever a worker then reports to Celery. While Redis takes
    no writes, the result is lost, and the caller has to ask again.
    """

    ResultConsumer = LookingConsumer
    task_keyprefix = RESULT_PREFIX

    def _get_pool(self, **params: Any) -> Any:
        """A pool of our connections; Celery names a class only where they are encrypted."""
        is_tls = issubclass(params.get("connection_class", Connection), SSLConnection)
        ours = RedisTlsConnection if is_tls else RedisConnection
        return super()._get_pool(**params | {"connection_class": ours})  # type: ignore[misc]  # untyped

    def set(self, key: str, value: Any, expires: float | None = None, **retry_policy: Any) -> Any:
        # Celery tries again for twenty seconds and all time-outs meanwhile, in a thread that has other work.
        return super().set(key, value, expires, **{"max_retries": 0} | retry_policy)  # type: ignore[call-arg]  # in stubs

    def _store_result(self, task_id: str, result: Any, state: str, *arguments: Any, **options: Any) -> Any:
        try:
            if not is_end(self.get(self.get_key_for_task(task_id))):
                super()._store_result(task_id, result, state, *arguments, **options)  # type: ignore[misc]  # untyped
        except RedisError as error:
            log.warning("result_lost", score_id=task_id, error=said(error), cure=cure(error))
        return result
