"""A Redis whose replies come byte by byte: each command has one deadline, however often something of its reply comes.

Without that deadline, each reply here comes whole in the end, and nothing is raised.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Timer
from typing import Any

import pytest
from celery import Celery, states
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeout
from structlog.testing import capture_logs

from outbox.database import Database
from tests.builders import some_settings
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.listening_port import listening_port
from tests.patience import PATIENCE_SECONDS
from tests.worker.flights import LIFETIMES, a_redis_tier, some_ids
from worker.app import configuration
from worker.bootstrap import build_door, connect_redis
from worker.config.redis_connections import AsyncRedisTlsConnection, RedisTlsConnection
from worker.config.redis_state import RedisState
from worker.flight.database_tier import DatabaseTier
from worker.flight.fallback import FallbackTier
from worker.lanes.broker import _redis_of
from worker.settings import Settings

#: A deadline in small, which no pause between two bytes reaches.
SECONDS = 0.5
PAUSE = 0.1
VALUE = b"x" * 100
TOKEN = "a" * 32


@pytest.fixture
def way(redis: Redis) -> Iterator[FaultProxy]:
    redis.set("long", VALUE)
    redis.set("short", b"y")
    with fault_proxy(redis.connection_pool.connection_kwargs["port"]) as proxy:
        yield proxy


@pytest.fixture
def settings(way: FaultProxy) -> Settings:
    return some_settings(redis_url=f"redis://127.0.0.1:{way.port}/0", redis_timeout_seconds=SECONDS)


@pytest.fixture
def client(settings: Settings) -> Iterator[Redis]:
    with connect_redis(settings) as client:
        yield client


@pytest.fixture
def app(settings: Settings) -> Iterator[Celery]:
    with Celery("dripping", set_as_current=False) as app:
        app.conf.update(configuration(settings))
        yield app


def ours(client: Redis, _: Celery) -> Redis:
    return client


def kombus(_: Redis, app: Celery) -> Redis:
    return _redis_of(app, app.connection_for_write())[0]


def of_the_results(_: Redis, app: Celery) -> Redis:
    backend: Any = app.backend
    redis: Redis = backend.client
    return redis


def subscribed(client: Redis) -> Any:
    """A subscription to news, which is confirmed."""
    channel: Any = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    channel.subscribe("news")
    channel.get_message(timeout=PATIENCE_SECONDS)
    return channel


@pytest.mark.parametrize("of", [ours, kombus, of_the_results])
def test_a_reply_that_drips_is_given_up_at_the_deadline_and_none_of_it_is_read_later(
    client: Redis, app: Celery, way: FaultProxy, of: Callable[[Redis, Celery], Redis]
) -> None:
    redis = of(client, app)
    redis.ping()
    way.set("drip", seconds=PAUSE)
    with pytest.raises(RedisTimeout):
        redis.get("long")

    way.set("pass")
    assert redis.get("short") == b"y"


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # by Celery
def test_a_result_that_can_not_be_stored_is_lost_after_two_tries(app: Celery, way: FaultProxy) -> None:
    backend: Any = app.backend
    backend.client.ping()
    before = way.connections
    # The look whether it is there comes in time, the transaction does not.
    way.set("drip", seconds=PAUSE)
    with capture_logs() as logs:
        backend.store_result("enwiki:damaging:1:0.5.1", {}, states.SUCCESS)

    assert way.connections <= before + 2
    assert [line["event"] for line in logs] == ["result_lost"]


def test_the_replies_of_a_pipeline_have_one_deadline_together(client: Redis, way: FaultProxy) -> None:
    client.ping()
    # No reply alone takes half of it.
    way.set("drip", seconds=0.02)
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(50):
            pipeline.set("short", b"z")
        with pytest.raises(RedisTimeout):
            pipeline.execute()

    way.set("pass")
    assert client.get("long") == VALUE


def test_all_that_is_said_while_connecting_has_one_deadline(settings: Settings, way: FaultProxy) -> None:
    way.set("drip", seconds=0.01)
    with connect_redis(settings) as client, pytest.raises(RedisTimeout):
        client.ping()


def test_connecting_has_one_deadline_in_an_event_loop_too(settings: Settings, way: FaultProxy) -> None:
    # No reply alone takes that long, and all together do.
    patient = settings.model_copy(update={"redis_timeout_seconds": 1.0})
    way.set("slow", seconds=0.25)

    async def ask() -> None:
        door = build_door(patient)
        redis: Any = door._redis
        try:
            await redis.connection_pool.get_connection()
        finally:
            await door.close()

    with pytest.raises(RedisTimeout, match="connecting"):
        asyncio.run(ask())


def test_encrypted_connections_are_the_same(settings: Settings) -> None:
    encrypted = settings.model_copy(update={"redis_url": SecretStr("rediss://localhost/0")})

    async def of_the_door() -> Any:
        door: Any = build_door(encrypted)
        connection = door._redis.connection_pool.make_connection()
        await door.close()
        return connection

    with Celery("encrypted", set_as_current=False) as app, connect_redis(encrypted) as client:
        app.conf.update(configuration(encrypted))
        transport: Any = app.connection_for_write().transport
        backend: Any = app.backend
        assert isinstance(asyncio.run(of_the_door()), AsyncRedisTlsConnection)
        assert isinstance(client.connection_pool.make_connection(), RedisTlsConnection)
        assert isinstance(backend.client.connection_pool.make_connection(), RedisTlsConnection)
        assert transport.Channel.connection_class_ssl is RedisTlsConnection


def test_a_command_that_waits_has_all_of_the_deadline_for_its_reply(client: Redis) -> None:
    connection: Any = client.connection_pool.get_connection()
    connection.send_command("BRPOP", "nothing", 2 * SECONDS)

    # As kombu reads: when something has come, long after the deadline of a command that does not wait.
    assert connection.can_read(timeout=PATIENCE_SECONDS)
    assert connection.read_response() is None


def test_who_waits_for_a_message_waits_longer_than_a_deadline(client: Redis, redis: Redis) -> None:
    with subscribed(client) as channel:
        Timer(3 * SECONDS, redis.publish, ("news", "told")).start()

        assert channel.parse_response(block=True)[-1] == b"told"


def test_half_a_message_is_not_waited_for_without_end(client: Redis, redis: Redis, way: FaultProxy) -> None:
    with subscribed(client) as channel:
        way.set("drip", seconds=PAUSE)
        redis.publish("news", VALUE)

        with pytest.raises(RedisTimeout):
            channel.parse_response(block=True)


def half_a_message(client: socket.socket) -> None:
    """Confirm a subscription, begin a message in the same piece, and end it much later."""
    confirmed, begun = (
        b">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n",
        b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\nha",
    )
    client.settimeout(20 * SECONDS)
    with client, suppress(OSError):
        try:
            while received := client.recv(65536):
                client.sendall(b"%1\r\n$5\r\nproto\r\n:3\r\n" * received.count(b"HELLO"))
                client.sendall(b"+OK\r\n" * received.count(b"CLIENT"))
                client.sendall((confirmed + begun) * received.count(b"SUBSCRIBE"))
        except TimeoutError:
            client.sendall(b"lf\r\n")


def test_a_message_that_began_with_the_one_before_is_not_waited_for_without_end(settings: Settings) -> None:
    with listening_port(half_a_message) as port:
        there = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}/0")})
        with connect_redis(there) as client, subscribed(client) as channel:
            # From a new connection.
            assert channel.parse_response(block=True)[0] == b"subscribe"


def test_leases_are_had_from_the_database_while_redis_drips(client: Redis, way: FaultProxy, database: Database) -> None:
    state = RedisState()
    tier = FallbackTier(a_redis_tier(client), DatabaseTier(database, LIFETIMES), state)
    ids = some_ids(3)
    client.ping()
    way.set("drip", seconds=PAUSE)

    assert tier.acquire(ids, TOKEN, {}).ours == ids
    assert state.gone_since is not None
