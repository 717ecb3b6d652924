"""Celery's consumer and scheduler, which wait where Redis refuses to serve as they do where it is gone.

Celery takes an error that Redis answers with for a fault of its own and ends the worker for good (celery/celery #7946).
Its setting `broker_channel_error_retry` keeps it alive, but lets it start again and again without a rest.
"""

import time
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from celery.worker import consumer, state
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from redis import RedisError

from worker.config.redis_state import RedisState
from worker.config.telemetry import log
from worker.domain.redis_refusals import is_refusal, redis_error

#: A list that holds something for a moment, to see whether Redis lets us do what a broker has to.
TRIAL_KEY = "ores-broker"
TRIAL_MILLISECONDS = 10_000
LOOK_SECONDS = 0.1


class BrokerConsumer(consumer.Consumer):
    """Takes messages from Redis as soon as Redis serves; until then the worker lives, and tries again every 2 s."""

    connection_errors: tuple[type[Exception], ...]
    channel_errors: tuple[type[Exception], ...]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Not among the errors of the connection: Celery swallows these where it acknowledges, counts on the connection
        # being lost, and takes no more messages where it was not.
        self.channel_errors = (*self.channel_errors, RedisError, OperationalError)
        self._redis_state = RedisState(effect="no task is taken until it is back; edits wait")

    def ensure_connected(self, conn: Connection) -> Connection:
        """*conn*, connected to a Redis that serves; raises what ends a worker that is asked to end meanwhile."""
        while True:
            while not self._redis_state.may_be_there:
                state.maybe_shutdown()
                time.sleep(LOOK_SECONDS)
            try:
                conn.ensure_connection(max_retries=0)
                self._try(conn)
            except (*self.connection_errors, *self.channel_errors) as error:
                self._redis_state.is_gone(error)
            else:
                self._redis_state.is_there()
                self.first_connection_attempt = False
                return conn

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        if is_refusal(exc):
            # So that it is not asked again at once.
            self._redis_state.is_gone(exc)
        super().on_connection_error_after_connected(exc)

    def _try(self, conn: Connection) -> None:
        """Do once what a broker does: a replica, a full disk and a full memory let us connect and read."""
        channel: Any = conn.default_channel
        with channel.client.pipeline() as pipeline:
            pipeline.lpush(TRIAL_KEY, "")
            pipeline.pexpire(TRIAL_KEY, TRIAL_MILLISECONDS)
            pipeline.brpop([TRIAL_KEY], 1)
            for queue in self.app.amqp.queues:
                pipeline.llen(queue)
            pipeline.execute()


class Scheduler(PersistentScheduler):
    """Sends what is due, or says in one line why it can't; what was not sent is due again at its next time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._redis_state = RedisState(effect="nothing is scheduled until it is back; edits wait")
        super().__init__(*arguments, **options)

    @property
    def producer(self) -> Producer:
        """Connects when something is sent; Celery's own waits here, in the end for 30 s at a time."""
        return Producer(self.connection, auto_declare=False)

    def apply_entry(self, entry: ScheduleEntry, producer: Producer | None = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            if redis_error(error) is None:
                log.error("task_failed", task=entry.task, error=str(error))
            else:
                self._redis_state.is_gone(error)
        else:
            self._redis_state.is_there()
