"""Putting the concrete parts together; the only place that knows them all. Tests call the same function."""

import asyncio
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from outbox.database import Engines
from worker.app import send
from worker.doorbell import Doorbell
from worker.errors import SettingsInvalid
from worker.events.sinks import FileSink
from worker.scoring.client import Endpoint, ScoringClient
from worker.scoring.flight import Flight
from worker.scoring.lift_wing import LiftWingClient
from worker.scoring.ores import OresClient
from worker.settings import Settings, load_settings
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
        self.runner.close()
        self.redis.close()
        self.engines.close()


def build_services(settings: Settings, *, send: Callable[[str, str], None] = send) -> Services:
    """Build everything for *settings*; connects to nothing yet."""
    runner = asyncio.Runner()
    engines = Engines()
    redis = connect_redis(settings)
    flight = Flight(redis, settings.flight)
    client = runner.run(_client(settings))
    sink = FileSink(settings.sink.directory)
    models = settings.scoring_models()
    wikis = {
        wiki_id: Wiki(
            id=wiki_id,
            settings=wiki,
            outbox=settings.outbox,
            models={name: models[name] for name in wiki.models},
            database=engines.open(wiki_id, wiki.database_url.get_secret_value()),
            client=client,
            flight=flight,
            sink=sink,
            stream=settings.stream,
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
        runner=runner,
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


async def _client(settings: Settings) -> ScoringClient:
    # Inside the event loop that will use it: the connections belong to that loop.
    endpoint = Endpoint(settings.endpoint)
    if settings.endpoint.kind == "ores":
        return OresClient(endpoint)
    languages = {wiki_id: wiki.language for wiki_id, wiki in settings.wikis.items()}
    return LiftWingClient(endpoint, settings.scoring_models(), languages)
