"""Lets a worker process work without its broker, from its start to its end."""

from functools import partial
from typing import Any

from celery.signals import worker_init, worker_shutting_down

from worker.app import app
from worker.bootstrap import services
from worker.lanes.broker import hear_of_redis
from worker.lanes.consuming import CONSUMING
from worker.lanes.rings import QUEUE_OF, TURN
from worker.lanes.standby import Standby
from worker.tasks.process import TASKS


@worker_init.connect
def _stand_by(**_: Any) -> None:
    here = services()
    standby = Standby(
        run_here, _is_needed, threads=here.settings.worker.threads, poll_seconds=here.settings.poll_seconds
    )
    here.doorbell.stand_by(standby)
    # A process that is idle would find out later, and then wait as long for others.
    CONSUMING.lost.append(partial(hear_of_redis, here.redis, here.redis_state))
    standby.start()
    worker_shutting_down.connect(lambda **_: standby.close(), weak=False)


def run_here(task: str, *arguments: str) -> None:
    """Run *task* in this thread, where the watchdog sees it as it sees Celery's."""
    with TASKS.running(" ".join([task, *arguments])):
        app.tasks[task](*arguments)


def _is_needed() -> bool:
    """Whether this process gets no tasks, though it should take turns."""
    return QUEUE_OF[TURN] in app.amqp.queues.consume_from and not CONSUMING.goes_on()
