"""Putting the concrete parts together; the only place that knows them all. Tests call the same function."""

import asyncio
import functools
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from pydantic import SecretStr
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.retry import Retry

from outbox.database import Database, Engines
from worker.app import send
from worker.doorbell import Doorbell
from worker.errors import SettingsInvalid
from worker.events.build import Announcing
from worker.events.eventgate import EventGateSink
from worker.events.file_sink import FileSink
from worker.events.sinks import EventSink
from worker.events.stdout_sink import StdoutSink
from worker.flight.database_tier import DatabaseTier
from worker.flight.fallback import FallbackTier
from worker.flight.flight import Flight
from worker.flight.process_tier import ProcessTier
from worker.flight.redis_tier import RedisTier
from worker.flight.tiers import Lifetimes
from worker.redis_state import RedisState
from worker.scoring.client import Endpoint, ScoringClient, user_agent
from worker.scoring.lift_wing import LiftWingClient
from worker.scoring.limits import Ceilings
from worker.scoring.ores import OresClient
from worker.scoring.pacer import Pacer
from worker.scoring.shared_limits import SharedLimits
from worker.settings import Settings, load_settings
from worker.thresholds import with_thresholds
from worker.wiki import Wiki


@dataclass(slots=True, kw_only=True)
class Services:
    """All that one process needs. Coroutines run in `runner`, whose event loop lives as long as the process."""

    settings: Settings
    wikis: Mapping[str, Wiki]
    engines: Engines
    redis: Redis
    doorbell: Doorbell
    client: ScoringClient
    sinks: Mapping[str, EventSink]
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def wiki(self, wiki_id: str) -> Wiki:
        """The wiki of that name.

        Raises:
            SettingsInvalid: the settings do not list it.
        """
        try:
            return self.wikis[wiki_id]
        except KeyError:
            known = ", ".join(sorted(self.wikis))
            raise SettingsInvalid(
                f"{wiki_id!r} is no wiki of the settings; there are {known}; add [wikis.{wiki_id}]"
            ) from None

    def close(self) -> None:
        self.runner.run(self.client.close())
        for sink in self.sinks.values():
            sink.close()
        self.runner.close()
        self.redis.close()
        self.engines.close()


def build_services(settings: Settings, *, send: Callable[..., None] = send) -> Services:
    """Build everything for *settings*; connects to nothing yet."""
    runner = asyncio.Runner()
    engines = Engines()
    redis = connect_redis(settings)
    redis_state = RedisState()
    flight_for = _flights(settings, redis, redis_state)
    client = runner.run(_client(settings, redis, redis_state))
    sinks = _sinks(settings)
    models = settings.scoring_models()
    databases = {
        wiki_id: engines.open(wiki_id, wiki.database_url.get_secret_value()) for wiki_id, wiki in settings.wikis.items()
    }
    wikis = {
        wiki_id: Wiki(
            id=wiki_id,
            settings=wiki,
            outbox=settings.outbox,
            upkeep=settings.upkeep,
            thresholds=with_thresholds(wiki.thresholds),
            models={name: models[name] for name in wiki.models},
            database=databases[wiki_id],
            client=client,
            flight=flight_for(databases[wiki_id]),
            sinks=sinks,
            announcing=Announcing(domain=wiki.domain, settings=settings.events),
        )
        for wiki_id, wiki in settings.wikis.items()
    }
    return Services(
        settings=settings,
        wikis=wikis,
        engines=engines,
        redis=redis,
        # Lost with a worker, a ring is repeated at the next poll but one.
        doorbell=Doorbell(redis, send, unanswered_seconds=2 * settings.poll_seconds),
        client=client,
        sinks=sinks,
        runner=runner,
    )


def _sinks(settings: Settings) -> dict[str, EventSink]:
    """The sinks by the names of their lanes; they connect with their first events."""
    here, sinks = settings.sinks, dict[str, EventSink]()
    if here.file is not None:
        sinks["file"] = FileSink(here.file.directory, max_bytes=round(here.file.max_megabytes * 1_000_000))
    if here.stdout is not None:
        sinks["stdout"] = StdoutSink()
    if here.eventgate is not None:
        sinks["eventgate"] = EventGateSink(
            here.eventgate.url,
            timeout_seconds=here.eventgate.timeout_seconds,
            batch_size=here.eventgate.batch_size,
            user_agent=user_agent(settings.endpoint.contact),
        )
    if here.kafka is not None:
        from worker.events.kafka import KafkaSink  # noqa: PLC0415 - comes with an extra, which the settings ask for

        options = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in here.kafka.options.items()
        }
        sinks["kafka"] = KafkaSink(
            {"bootstrap.servers": here.kafka.bootstrap_servers, **options},
            topic_prefix=here.kafka.topic_prefix,
            timeout_seconds=here.kafka.timeout_seconds,
        )
    return sinks


def _flights(settings: Settings, redis: Redis, state: RedisState) -> Callable[[Database], Flight]:
    """Makes the flight of each database; they share the nearer tiers."""
    flight, url = settings.flight, settings.redis_url.get_secret_value()
    lifetimes = Lifetimes(lease=flight.lease_seconds, result=flight.result_ttl_seconds, error=flight.error_ttl_seconds)
    # Long enough for those who waited; what is wanted later is in Redis, where it can be dropped for all.
    briefly = replace(lifetimes, result=lifetimes.handover, error=lifetimes.handover)
    process_tier = ProcessTier(briefly)
    redis_tier = RedisTier(redis, partial(AsyncRedis.from_url, url, socket_connect_timeout=2), lifetimes)
    return lambda database: Flight(
        [process_tier, FallbackTier(redis_tier, DatabaseTier(database, lifetimes), state)], flight
    )


def connect_redis(settings: Settings) -> Redis:
    """The Redis of *settings*; commands fail within seconds where it is gone, so that work goes on without it."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=2,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 1),
    )


def services() -> Services:
    """The services of this process, built at the first call; never shared with a process it was forked from."""
    return _services_of(os.getpid())


@functools.cache
def _services_of(process: int) -> Services:  # noqa: ARG001 - the key of the cache
    return build_services(load_settings())


async def _client(settings: Settings, redis: Redis, redis_state: RedisState) -> ScoringClient:
    # Inside the event loop that will use it: the connections belong to that loop.
    here = settings.endpoint
    ceilings = Ceilings(
        requests_per_second=here.requests_per_second,
        concurrency=here.concurrency,
        slow_seconds=here.slow_seconds,
        timeout_seconds=here.timeout_seconds,
    )
    limits = SharedLimits(here.url, ceilings, uuid.uuid4().hex, redis, redis_state, time.monotonic)
    patience = settings.flight.call_seconds - here.timeout_seconds
    endpoint = Endpoint(here, Pacer(here.url, limits, patience=patience, clock=time.monotonic))
    if here.kind == "ores":
        return OresClient(endpoint)
    languages = {wiki_id: wiki.language for wiki_id, wiki in settings.wikis.items()}
    return LiftWingClient(endpoint, settings.scoring_models(), languages)
