"""What a message costs in Redis on its way to a worker, and how many of them a worker takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import Celery
from kombu import Message
from redis import Redis

from tests.builders import some_settings
from tests.patience import PATIENCE_SECONDS
from worker.app import configuration
from worker.lanes.rings import QUEUE_OF, TURN

QUEUE = QUEUE_OF[TURN]
#: What counting, connecting and declaring queues take, and waiting for a message that does not come; before Redis 7
#: there are no statistics of subcommands.
OTHERS = {"info", "config|resetstat", "client|setname", "client|setinfo", "ping", "select", "sadd", "smembers", "hello"}
OTHERS |= {"config", "client"}


@pytest.fixture
def client(redis: Redis, redis_url: str) -> Iterator[Celery]:
    """An application with the settings of our workers."""
    with Celery("worker", set_as_current=False) as app:
        app.config_from_object(configuration(some_settings(redis_url=redis_url)))
        yield app


@contextmanager
def taking(client: Celery, *, prefetch: int) -> Iterator[tuple[list[Message], Callable[[int], None]]]:
    """What a worker with so many threads has taken, and a function that takes until it has so many, then all it may."""
    taken: list[Message] = []
    with client.connection_for_read() as connection:
        channel: Any = connection.channel()
        channel.basic_qos(0, prefetch, False)

        def take(until: int) -> None:
            while len(taken) < until:
                connection.drain_events(timeout=PATIENCE_SECONDS)
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.05)

        arguments: dict[str, Any] = {"callbacks": [lambda _body, message: taken.append(message)]}
        with client.amqp.TaskConsumer(channel, **arguments):
            yield taken, take
        channel.close()


def ring(client: Celery, count: int = 1) -> None:
    for number in range(count):
        client.send_task(TURN, args=[f"wiki{number}", "outbox"], queue=QUEUE, ignore_result=True)


def commands(redis: Redis) -> dict[str, int]:
    """How often each command was run since the last reset, without those that no message needs."""
    stats: Any = redis.info("commandstats")
    names = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
    return {name: calls for name, calls in names.items() if name not in OTHERS}


def test_a_message_is_pushed_and_popped_and_nothing_else(client: Celery, redis: Redis) -> None:
    ring(client)
    with taking(client, prefetch=32) as (taken, take):
        take(1)
        taken.pop().ack()
        redis.config_resetstat()

        ring(client, 30)
        take(30)
        for message in taken:
            message.ack()

    assert len(taken) == 30
    counted = commands(redis)
    # Looks for a message end in vain before the first and after the last, more of them where we are slow.
    assert counted.pop("brpop") <= 36
    assert counted == {"lpush": 30}


def test_a_worker_takes_no_more_messages_than_it_has_threads_for(client: Celery, redis: Redis) -> None:
    ring(client, 5)
    with taking(client, prefetch=2) as (taken, take):
        take(2)
        assert len(taken) == 2
        assert redis.llen(QUEUE) == 3

        taken[0].ack()
        take(3)

        assert len(taken) == 3
        assert redis.llen(QUEUE) == 2


def test_another_worker_gets_what_is_left(client: Celery) -> None:
    ring(client, 5)
    with taking(client, prefetch=2) as (first, take), taking(client, prefetch=2) as (second, take_too):
        take(2)
        take_too(2)

        arguments = [message.decode()[0][0] for message in [*first, *second]]
    assert arguments == ["wiki0", "wiki1", "wiki2", "wiki3"]


def test_what_was_taken_and_not_begun_goes_back_to_its_queue_when_a_worker_ends(client: Celery, redis: Redis) -> None:
    ring(client, 3)
    with taking(client, prefetch=32) as (taken, take):
        take(3)
        taken[0].ack()

    assert redis.llen(QUEUE) == 2
    with taking(client, prefetch=32) as (again, take):
        take(2)
        for message in again:
            message.ack()
    assert sorted(message.decode()[0][0] for message in again) == ["wiki1", "wiki2"]
    assert redis.llen(QUEUE) == 0


def test_a_message_that_is_given_back_is_taken_by_another_worker(client: Celery, redis: Redis) -> None:
    ring(client)
    with taking(client, prefetch=1) as (first, take):
        take(1)
        first[0].reject(requeue=True)
        assert redis.llen(QUEUE) == 1
        with taking(client, prefetch=1) as (second, take_too):
            take_too(1)
            second[0].ack()

    assert redis.llen(QUEUE) == 0


def test_a_message_with_a_priority_is_taken_too(client: Celery) -> None:
    client.send_task(TURN, args=["wiki0", "outbox"], queue=QUEUE, ignore_result=True, priority=9)
    with taking(client, prefetch=1) as (taken, take):
        take(1)
        taken[0].ack()

    assert len(taken) == 1


def test_nothing_of_a_message_stays_in_redis(client: Celery, redis: Redis) -> None:
    ring(client)
    with taking(client, prefetch=1) as (taken, take):
        take(1)
        held = [key for key in redis.scan_iter() if b"unacked" in key]
        taken[0].ack()

    assert held == []
