"""Celery's results under ORES' keys: score id = task id = cache key.

Use it in any Celery application as `result_backend = "worker.result_backend:ScoreBackend+redis://…"`; then
`AsyncResult("enwiki:damaging:745065890:0.5.1").get()` finds a score whoever asked for it, drain or request.
"""

from celery.backends.redis import RedisBackend

from worker.scoring.flight import RESULT_PREFIX


class ScoreBackend(RedisBackend):
    """Redis, with the keys `ores:<wiki>:<model>:<revision>:<version>`.

    A score that single flight has stored is a task that succeeded; Celery never overwrites one of those.
    """

    task_keyprefix = RESULT_PREFIX
