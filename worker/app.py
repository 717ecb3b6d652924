"""The Celery application: its configuration, queues and schedule. Knows the tasks by name only."""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from celery import Celery
from celery.signals import setup_logging
from click.core import ParameterSource
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from worker.config.files import unwritable
from worker.config.telemetry import configure_logging
from worker.domain.errors import SettingsInvalid
from worker.domain.visible import visible
from worker.lanes.rings import CHECK_MODEL_VERSIONS, EXPIRE_RECENT_CHANGES, POLL, PURGE_SCORES, QUEUE_OF, SCORE, SCORES
from worker.settings import Settings, load_settings

#: Why `--detach` alone is refused: nobody would ever read the log.
DETACHED = "--detach: its log would be lost; add --logfile FILE, or leave detaching to what starts it, such as systemd"
#: Options of Celery's commands that name a file to write.
FILES = ("logfile", "pidfile", "statedb")

# kombu's own waits for a reply anew with each byte that comes. By name, so that the URL stays the same.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "worker.lanes.transport:RedisTransport"))

app = Celery(
    "outpatrol",
    include=[
        f"worker.tasks.{name}" for name in ("process", "turn", "score", "documents", "maintenance", "standing_by")
    ],
)


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's configuration for *settings*.

    A message is only a hint that there is work, so none is kept, acknowledged late or tried again: a lost one costs
    only the time until the next poll. None has an expiry or a start time either: both go by the sender's clock, and an
    old hint does no harm.
    """
    silence, prefix = settings.redis_timeout_seconds, settings.redis_prefix
    redis = settings.redis
    return {
        "broker_url": redis.address,
        "broker_use_ssl": redis.encryption,
        "result_backend": f"worker.flight.result_backend:ScoreBackend+{redis.address}",
        "redis_backend_use_ssl": redis.encryption,
        "result_expires": settings.flight.error_ttl_seconds,
        "broker_transport_options": {
            "global_keyprefix": prefix,
            # What a process has taken and not begun is counted in its memory, and goes back to its queue when it ends.
            # A copy of it in Redis took eight commands a message, only to be sent again an hour after a crash.
            "ack_emulation": False,
            "socket_timeout": silence,
            "socket_connect_timeout": silence,
            "socket_keepalive": True,
            "health_check_interval": silence,
            "client_name": redis.client_name,
        },
        # A shutdown that is broadcast to another application's workers is not meant for ours.
        "control_exchange": "outpatrol",
        "event_exchange": "outpatrol-events",
        "redis_client_name": redis.client_name,
        "redis_socket_timeout": silence,
        "redis_socket_connect_timeout": silence,
        "redis_socket_keepalive": True,
        "redis_retry_on_timeout": True,
        "redis_backend_health_check_interval": silence,
        "result_backend_transport_options": {"global_keyprefix": prefix},
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # No task of ours is acknowledged late, and with the default Celery warns each time Redis is lost.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "broker_channel_error_retry": True,
        "worker_consumer": "worker.lanes.broker:BrokerConsumer",
        "beat_scheduler": "worker.lanes.broker:Scheduler",
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_queues": [Queue(name, Exchange(name), routing_key=name) for name in dict.fromkeys(QUEUE_OF.values())],
        "task_default_queue": QUEUE_OF[CHECK_MODEL_VERSIONS],
        "task_routes": {task: {"queue": queue} for task, queue in QUEUE_OF.items()},
        "worker_pool": "threads",
        "worker_concurrency": settings.worker.threads,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": False,
        "result_backend_thread_safe": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "enable_utc": True,
        "beat_schedule": {
            # Two beats do no harm: what one has sent, the other does not send within the interval.
            task: {"task": task, "schedule": seconds}
            for task, seconds in periods(settings).items()
        },
        "beat_max_loop_interval": max(1.0, settings.poll_seconds),
    }


def periods(settings: Settings) -> dict[str, float]:
    """The tasks that beat sends, each with the seconds from one to the next."""
    return {
        POLL: settings.poll_seconds,
        CHECK_MODEL_VERSIONS: settings.upkeep.check_seconds,
        PURGE_SCORES: settings.upkeep.purge_seconds,
        EXPIRE_RECENT_CHANGES: settings.upkeep.expire_seconds,
    }


def send(task: str, *arguments: str) -> None:
    """Send *task* to the queue it belongs to."""
    app.send_task(task, args=arguments, queue=QUEUE_OF[task], ignore_result=True, retry=False)


def send_score(score_id: str, *, ignore_result: bool = True) -> None:
    """Send the task `score`; its id is the score id.

    Celery subscribes to no result here: single flight stores it, and whoever wants it looks there.
    """
    app.send_task(SCORE, task_id=score_id, queue=QUEUE_OF[SCORE], ignore_result=ignore_result, retry=False)


def send_scores(wiki: str, score_ids: Sequence[str]) -> None:
    """Send one task for several scores of *wiki*; each answer is stored under its own id."""
    app.send_task(SCORES, args=[wiki, list(score_ids)], queue=QUEUE_OF[SCORES], ignore_result=True, retry=False)


def _configuration_of_this_process() -> dict[str, Any]:
    try:
        return configuration(load_settings())
    except SettingsInvalid as error:
        # Celery would print a traceback for a user's mistake.
        raise SystemExit(f"outpatrol: {visible(str(error))}") from error


# Read when the first task is sent or the worker starts, not when this module is imported.
app.add_defaults(_configuration_of_this_process)


@setup_logging.connect
def _configure_logging(loglevel: int, logfile: str | None = None, **_: Any) -> None:
    context = click.get_current_context(silent=True)
    # Nobody set Celery's own default.
    is_wish = context is not None and context.get_parameter_source("loglevel") is ParameterSource.COMMANDLINE
    level = logging.getLevelName(loglevel) if is_wish else load_settings().log_level
    configure_logging(level, Path(logfile) if logfile else None)


def look_at_files(context: click.Context, _option: click.Parameter, _value: object) -> None:
    """Refuse, in a sentence, options that would end Celery with a traceback, or that it would follow unseen."""
    if context.params.get("detach") and not context.params.get("logfile"):
        _stop(context, DETACHED)
    for name in FILES:
        file = context.params.get(name)
        if file and (why := unwritable(Path(file))):
            _stop(context, f"--{name}: {file} can't be written: {why}; correct the path, or give us the right to it")


def _stop(context: click.Context, sentence: str) -> NoReturn:
    sys.stderr.write(f"outpatrol: {sentence}\n")
    context.exit(os.EX_CONFIG)


for _command in ("worker", "beat"):
    # Runs after the given options are read, and before the process detaches.
    app.user_options[_command].add(
        click.Option(["--files-are-there"], is_flag=True, hidden=True, expose_value=False, callback=look_at_files)
    )
