"""Celery's results under ORES' keys: score id = task id = cache key.

Use it in any Celery application as `result_backend = "worker.flight.result_backend:ScoreBackend+redis://…"`; then
`AsyncResult("enwiki:damaging:745065890:0.5.1").get()` finds a score whoever asked for it, a turn or a request.
"""

from typing import Any

from celery.backends.redis import RedisBackend
from redis import RedisError

from worker.config.telemetry import log
from worker.domain.redis_refusals import cure, said
from worker.flight.results import RESULT_PREFIX, is_end


class ScoreBackend(RedisBackend):
    """Redis, with the keys `ores:<wiki>:<model>:<revision>:<version>`.

    What single flight has stored is the end of the task, whatever a worker then reports to Celery. While Redis takes
    nothing, the end is lost, and the caller has to ask again.
    """

    task_keyprefix = RESULT_PREFIX

    def _store_result(self, task_id: str, result: Any, state: str, *arguments: Any, **options: Any) -> Any:
        try:
            if not is_end(self.get(self.get_key_for_task(task_id))):
                super()._store_result(task_id, result, state, *arguments, **options)  # type: ignore[misc]  # untyped
        except RedisError as error:
            log.warning("result_lost", score_id=task_id, error=said(error), cure=cure(error))
        return result
