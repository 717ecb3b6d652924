"""The Celery application: its configuration, queues and schedule. Knows the tasks by name only."""

import gc
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from kombu import Exchange, Queue

from worker.config.telemetry import configure_logging
from worker.domain.errors import SettingsInvalid
from worker.lanes.rings import CHECK_MODEL_VERSIONS, EXPIRE_RECENT_CHANGES, POLL, PURGE_SCORES, SCORE, TURN
from worker.settings import Settings, load_settings

#: A hint this old is stale, and the poll has given a newer one; long enough for hosts whose clocks differ a little.
EXPIRY_SECONDS = 60

QUEUE_OF = {
    TURN: "turn",
    SCORE: "score",
    POLL: "maintenance",
    CHECK_MODEL_VERSIONS: "maintenance",
    PURGE_SCORES: "maintenance",
    EXPIRE_RECENT_CHANGES: "maintenance",
}

app = Celery(
    "outpatrol",
    include=[f"worker.tasks.{name}" for name in ("turn", "score", "maintenance")],
)


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's configuration for *settings*.

    A message is only a hint that there is work, so none is kept, acknowledged late or tried again: what a lost one
    costs is the time until the next poll.
    """
    url = settings.redis_url.get_secret_value()
    if url.startswith("rediss:") and "ssl_cert_reqs=" not in url:
        # Celery's results would not start without it, and its broker would trust anybody.
        url += ("&" if "?" in url else "?") + "ssl_cert_reqs=required"
    return {
        "broker_url": url,
        "result_backend": f"worker.flight.result_backend:ScoreBackend+{url}",
        "result_expires": settings.flight.error_ttl_seconds,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # No task of ours is acknowledged late, and Celery warns of the default each time Redis is lost.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "broker_channel_error_retry": True,
        "worker_consumer": "worker.lanes.broker:BrokerConsumer",
        "beat_scheduler": "worker.lanes.broker:Scheduler",
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in dict.fromkeys(QUEUE_OF.values())],
        "task_default_queue": "maintenance",
        "task_routes": {task: {"queue": queue} for task, queue in QUEUE_OF.items()},
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "enable_utc": True,
        "beat_schedule": {
            # Two beats do no harm: each finds the same work, and what is late expires.
            task: {"task": task, "schedule": seconds, "options": {"expires": EXPIRY_SECONDS}}
            for task, seconds in (
                (POLL, settings.poll_seconds),
                (CHECK_MODEL_VERSIONS, settings.upkeep.check_seconds),
                (PURGE_SCORES, settings.upkeep.purge_seconds),
                (EXPIRE_RECENT_CHANGES, settings.upkeep.expire_seconds),
            )
        },
        "beat_max_loop_interval": max(1.0, settings.poll_seconds),
    }


def send(task: str, *arguments: str) -> None:
    """Send *task* to the queue it belongs to."""
    app.send_task(task, args=arguments, queue=QUEUE_OF[task], ignore_result=True, retry=False, expires=EXPIRY_SECONDS)


def send_score(score_id: str, *, seconds: float = 0) -> None:
    """Send the task `score` under the id of the score it is to have, to be run in so many *seconds*.

    Single flight stores the result all the same; whoever wants it looks there, not at a subscription.
    """
    app.send_task(
        SCORE, task_id=score_id, queue=QUEUE_OF[SCORE], ignore_result=True, retry=False, countdown=seconds or None
    )


def _configuration_of_this_process() -> dict[str, Any]:
    try:
        return configuration(load_settings())
    except SettingsInvalid as error:
        # Celery would print a traceback for what is a user's slip.
        raise SystemExit(f"outpatrol: {error}") from error


# Read when the first task is sent or the worker starts, not when this module is imported.
app.add_defaults(_configuration_of_this_process)


@worker_process_init.connect
def _spare_the_collector(**_: Any) -> None:
    """What is there when a child starts stays there: looking through it again for garbage is work for nothing."""
    gc.collect()
    gc.freeze()


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    configure_logging(load_settings().log_level)
