"""Celery's consumer and scheduler, changed so that they wait for a Redis that refuses to serve as for one that is gone.

To Celery an error reply of Redis is a bug, and ends the worker for good (celery/celery #7946). With its setting
`broker_channel_error_retry` the worker stays alive, but restarts again and again without a pause.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import Celery, beat, states
from celery.beat import ScheduleEntry, SchedulingError
from celery.exceptions import NotRegistered
from celery.worker import consumer, state
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from kombu.log import get_logger
from redis import Redis, RedisError

from worker.config.redis_state import PAUSE_SECONDS, RedisState
from worker.config.telemetry import log
from worker.domain.redis_refusals import redis_error
from worker.lanes.clock import ClockCheck
from worker.lanes.rings import MOST_WAITING, POLL
from worker.lanes.seldom import Seldom

#: A list that holds one value for a moment, to find out whether Redis allows all that a broker does.
TRIAL_KEY = "ores-broker"
TRIAL_MILLISECONDS = 10_000
LOOK_SECONDS = 0.1
#: While this key exists, a scheduled task was sent; it expires by the clock of Redis alone.
SENT_KEY = "ores-beat"
#: The part of its interval for which a sent task counts; less than 1, so that a look that comes early is not put off.
SENT_SHARE = 0.9
#: Seconds before a task is sent that Redis does not know, so that a beat that keeps restarting does no harm.
FIRST_SECONDS = 60.0
#: Seconds after which waiting tasks cause a warning.
UNTAKEN_SECONDS = 60.0
#: Errors that kombu and Celery are likely to raise for another application's message.
UNREADABLE = (ValueError, TypeError, AttributeError)

#: Set while this process takes tasks from Redis.
CONSUMING = threading.Event()
#: Called with the error once this process takes no more tasks, since Redis is gone.
LOST: list[Callable[[Exception], None]] = []


class BrokerConsumer(consumer.Consumer):
    """Takes messages from Redis once it serves; until then the worker stays alive and tries every 2 s.

    A message that is not ours is dropped with a log line: it does not end the worker, and does not come again.
    """

    app: Celery
    connection_errors: tuple[type[Exception], ...]
    channel_errors: tuple[type[Exception], ...]
    _restart_state: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Not as a connection error: Celery ignores these when it acknowledges a message, since it expects the
        # connection to be lost; if it is not lost, Celery takes no more messages.
        self.channel_errors = (*self.channel_errors, RedisError, OperationalError, *UNREADABLE)
        self._redis_state = RedisState(effect="no task is taken until it is back; this process polls the wikis itself")
        # Each message that is not ours costs a restart; the waiting is done in `ensure_connected`.
        self._restart_state.maxR = sys.maxsize
        self._clock = ClockCheck()
        self._strange = Seldom()

    def ensure_connected(self, conn: Connection) -> Connection:
        """*conn*, connected to a Redis that serves; raises if the worker is asked to end meanwhile."""
        while True:
            while not self._redis_state.may_be_there:
                state.maybe_shutdown()
                time.sleep(LOOK_SECONDS)
            try:
                self._try(conn)
            except (*self.connection_errors, *self.channel_errors) as error:
                self._redis_state.is_gone(error)
            else:
                self._redis_state.is_there()
                self.first_connection_attempt = False
                return conn

    def on_ready(self) -> None:
        super().on_ready()
        CONSUMING.set()

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        CONSUMING.clear()
        super().on_connection_error_before_connected(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        CONSUMING.clear()
        if isinstance(exc, UNREADABLE):
            self._drop("of no known form", exc)
        elif redis_error(exc) is not None:
            # This logs it, and keeps us from asking Redis again at once.
            self._redis_state.is_gone(exc)
            for hear in LOST:
                hear(exc)
        try:
            super().on_connection_error_after_connected(exc)
        except (*self.connection_errors, *self.channel_errors) as error:
            # Closing it, Celery gives messages back to a Redis that is gone, through a closed connection; that error
            # would end Celery.
            log.debug("connection_not_closed", error=f"{type(error).__name__}: {error}")
            self.connection = None

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002 - Celery's signature
        name, task_id = str(message.headers["task"]), message.headers.get("id")
        self._reject(message, f"for a task {name!r}", NotRegistered(name))
        if task_id and not message.headers.get("ignore_result"):
            self.app.backend.store_result(task_id, NotRegistered(name), states.FAILURE)

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002
        self._reject(message, "for no task", None)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        self._reject(message, "for a task, but invalid", exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self._reject(message, "that can't be decoded", exc)

    def _reject(self, message: Any, what: str, error: Exception | None) -> None:
        self._drop(what, error)
        message.reject_log_error(get_logger(__name__), self.connection_errors)

    def _drop(self, what: str, error: Exception | None) -> None:
        if self._strange.is_time(what):
            log.error(
                "message_dropped",
                message=what,
                error=f"{type(error).__name__}: {error}" if error else "",
                cure="send nothing else to the queues outpatrol-…, or set redis_prefix to keep deployments apart",
            )

    def _try(self, conn: Connection) -> None:
        """Write and read once, as a broker does: a full Redis, or a replica, still lets us connect."""
        redis, prefix = _redis_of(self.app, conn)
        with redis.pipeline() as pipeline:
            pipeline.time()
            pipeline.lpush(prefix + TRIAL_KEY, "")
            pipeline.pexpire(prefix + TRIAL_KEY, TRIAL_MILLISECONDS)
            pipeline.brpop([prefix + TRIAL_KEY], 1)
            for queue in self.app.amqp.queues:
                pipeline.llen(prefix + queue)
            self._clock.compare(pipeline.execute()[0])


class Scheduler(beat.Scheduler):
    """Sends tasks that are due, or logs in one line why it can't, and tries again soon.

    The time of the last sending is kept in Redis, by the clock of Redis, and waits are counted by the monotonic clock:
    there is no schedule file that could be lost or hold a future date. Of two beats the faster one sends.
    """

    schedule: dict[str, ScheduleEntry]
    app: Celery

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._redis_state = RedisState(effect="nothing is scheduled until it is back; edits wait")
        self._clock = ClockCheck()
        self._warnings = Seldom()
        #: Queue to the time since when it has been too full to add anything.
        self._crowded: dict[str, float] = {}
        #: Task to the time when to look at it again, in monotonic seconds.
        self._due: dict[str, float] = {}
        super().__init__(*arguments, **options)

    @property
    def producer(self) -> Producer:
        """Connects when something is sent; Celery's own method waits here, for up to 30 s at a time."""
        return Producer(self.connection, auto_declare=False)

    def tick(self, *_: Any, **__: Any) -> float:
        """Send all that is due; returns the seconds until something is due again."""
        for name, entry in self.schedule.items():
            seconds = _interval(entry)
            first = time.monotonic() + (FIRST_SECONDS if seconds > FIRST_SECONDS else 0)
            if self._due.setdefault(name, first) <= time.monotonic():
                self._due[name] = time.monotonic() + self.look_at(entry)
        soonest = min(self._due.values(), default=0.0) - time.monotonic()
        return max(LOOK_SECONDS / 10, min(soonest, float(self.app.conf.beat_max_loop_interval)))

    def look_at(self, entry: ScheduleEntry) -> float:
        """Send *entry* unless it was sent within its interval; returns the seconds until the next look."""
        seconds = _interval(entry)
        try:
            wait = self._wait(entry, seconds)
            if wait > 0:
                return min(wait, seconds)
            self.apply_entry(entry, producer=self.producer)
        except (RedisError, OperationalError, SchedulingError, OSError) as error:
            if redis_error(error) is None and isinstance(error, SchedulingError):
                log.error("task_failed", task=entry.task, error=str(error))
                return seconds
            self._redis_state.is_gone(error)
            return min(PAUSE_SECONDS, seconds)
        self._redis_state.is_there()
        return seconds

    def apply_entry(self, entry: ScheduleEntry, producer: Producer | None = None) -> None:
        """Send *entry*, unless enough of its kind wait, and note that in Redis."""
        redis, prefix = _redis_of(self.app, self.connection)
        queue = self.app.conf.task_routes[entry.task]["queue"]
        waiting: Any = redis.llen(prefix + queue)
        # One waiting poll looks at everything; a second would find nothing more.
        if waiting < (1 if entry.task == POLL else MOST_WAITING):
            self._crowded.pop(queue, None)
            self.apply_async(entry, producer=producer, advance=False)
        else:
            since = self._crowded.setdefault(queue, time.monotonic())
            if time.monotonic() - since > UNTAKEN_SECONDS and self._warnings.is_time(queue):
                log.warning("tasks_untaken", queue=queue, waiting=waiting, cure="start workers, or more of them")
        counts = max(1, round(_interval(entry) * SENT_SHARE * 1000))
        redis.set(f"{prefix}{SENT_KEY}:{entry.task}", b"1", px=counts)

    def _wait(self, entry: ScheduleEntry, seconds: float) -> float:
        """Seconds for which the last sending of *entry*, by us or by another beat, still counts."""
        redis, prefix = _redis_of(self.app, self.connection)
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.pttl(f"{prefix}{SENT_KEY}:{entry.task}")
            time_of_redis, left = pipeline.execute()
        self._clock.compare(time_of_redis)
        return max(0.0, min(int(left) / 1000, seconds))


def _interval(entry: ScheduleEntry) -> float:
    """The interval in seconds; nothing of ours is scheduled for an hour of the day."""
    every: Any = entry.schedule
    return float(every.run_every.total_seconds())


def _redis_of(app: Celery, connection: Connection) -> tuple["Redis", str]:
    """The Redis of *connection*, and the prefix of its keys, which kombu's own client adds for some commands only."""
    # Otherwise kombu connects by itself and retries for ever.
    connection.ensure_connection(max_retries=0)
    channel: Any = connection.default_channel
    return Redis(connection_pool=channel.pool), app.conf.broker_transport_options["global_keyprefix"]
