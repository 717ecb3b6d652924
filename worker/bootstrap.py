"""Putting the concrete parts together; the only place that knows them all. Tests call the same function."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from outbox import EDITS, Lane
from outbox.database import Engines, Server
from outbox.tables import declared_lanes
from worker.app import send, send_score, send_scores
from worker.config.redis_connections import async_connection_class, connection_class
from worker.config.redis_state import RedisState
from worker.config.settings_sections import EndpointSettings
from worker.config.wiki import Wiki
from worker.domain.errors import SettingsInvalid
from worker.domain.models import ScoringModel
from worker.domain.thresholds import with_thresholds
from worker.endpoints.client import Endpoint
from worker.endpoints.http_requests import user_agent
from worker.endpoints.in_loop import ClientInLoop
from worker.endpoints.kinds import KINDS
from worker.endpoints.limits import Ceilings
from worker.endpoints.pacer import Pacer
from worker.endpoints.router import EndpointRouter
from worker.endpoints.scoring_client import ScoringClient
from worker.endpoints.shared_limits import SharedLimits
from worker.endpoints.wiki_api import WikiApi, cure_of_api
from worker.events.build import Announcing
from worker.events.kinds import EVENT_LANES, SINKS
from worker.events.publishing import Publisher
from worker.events.sinks import EventSink
from worker.events.unknown_streams import UnknownStreams
from worker.flight.database_tier import DatabaseTier
from worker.flight.documents import Documents
from worker.flight.door import Door, Sends
from worker.flight.fallback import FallbackTier
from worker.flight.flight import Flight
from worker.flight.hints import Hints
from worker.flight.process_tier import ProcessTier
from worker.flight.redis_tier import RedisTier
from worker.flight.tiers import Lifetimes
from worker.lanes.bulkheads import Bulkheads, Computing
from worker.lanes.circuits import Circuit
from worker.lanes.consumer import Consumer
from worker.lanes.doorbell import Doorbell
from worker.lanes.loops import HttpLoop, ThreadLoops
from worker.lanes.rings import DOCUMENT, POLL_SERVER
from worker.lanes.server_watch import ServerWatch
from worker.lanes.turn import Turns
from worker.scores.own_tables import BACKFILL
from worker.scores.pages import OwnTables, WikiApis
from worker.scores.pipeline import ScoreConsumer
from worker.scores.titles import Namespaces
from worker.settings import Settings, load_settings, section_of

#: How the front door asks the workers.
SENDS = Sends(score=send_score, scores=send_scores, document=partial(send, DOCUMENT))

#: Seconds for which answers stay in the memory of a process; at thousands a second they would soon fill it.
BRIEF_SECONDS = 1.0

#: Every lane that exists, whether or not anything is configured to serve it: the rooms imported above declare them.
LANES = declared_lanes()


@dataclass(slots=True, kw_only=True)
class Services:
    """Everything that one process needs."""

    settings: Settings
    wikis: Mapping[str, Wiki]
    engines: Engines
    watch: ServerWatch
    redis: Redis
    #: Whether Redis is there, as all but the broker and the doorbell saw it last.
    redis_state: RedisState
    doorbell: Doorbell
    client: ScoringClient
    #: The wikis' own APIs, as far as their addresses are set.
    wiki_apis: Mapping[str, WikiApi]
    #: The limits of each endpoint, by its name; all workers share them.
    limits: Mapping[str, SharedLimits]
    #: The same for the API of each wiki whose address is set.
    api_limits: Mapping[str, SharedLimits]
    #: Wiki to its single flight.
    flights: Mapping[str, Flight]
    #: What the front door answers besides scores.
    documents: Documents
    #: The sinks, by their names in the settings.
    sinks: Mapping[str, EventSink]
    #: The consumer of each lane, by the lane's name; a lane without one keeps what it holds.
    consumers: Mapping[str, Consumer]
    turns: Turns
    #: Runs coroutines in the calling thread.
    runner: ThreadLoops
    http_loop: HttpLoop
    #: What closes all of it, the last that was made first.
    opened: ExitStack

    @property
    def event_lanes(self) -> dict[str, Lane]:
        """The lanes of the configured sinks, by the sinks' names."""
        return {name: EVENT_LANES[name] for name in self.sinks}

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

    def watch_servers(self) -> None:
        """Log database servers that serve nobody, and ring for their wikis once they are back."""
        self.watch.start(self._is_back)

    def _is_back(self, server: Server) -> None:
        self.doorbell.ring(POLL_SERVER, server.group)
        on_it = {wiki.id for wiki in self.wikis.values() if wiki.database.server is server}
        for wiki, lane in self.turns.unreturned.lanes():
            if wiki in on_it:
                self.doorbell.turn(wiki, lane, after=0)

    def close(self) -> None:
        """Close all of it, each part even if the closing of another raises; the last error is raised in the end."""
        self.opened.close()


def build_services(settings: Settings, *, send: Callable[..., None] = send) -> Services:
    """Build everything for *settings*; does not connect yet. If a part can't be built, nothing stays open.

    Raises:
        SettingsInvalid, DatabaseUnavailable: a part can't be built with what is set.
    """
    with ExitStack() as opened:
        return replace(_services_in(opened, settings, send), opened=opened.pop_all())


def _services_in(opened: ExitStack, settings: Settings, send: Callable[..., None]) -> Services:
    """As `build_services`, but who calls it closes *opened*, where each part is put when it is made.

    So what a part needs is made before it, and closed after it.
    """
    bulkheads, computing = Bulkheads(settings.worker.places, settings.wikis), Computing(settings.worker.computing)
    watch = ServerWatch()
    engines = Engines(
        places=settings.worker.places,
        seconds=settings.database.timeout_seconds,
        around=computing.waiting,
        tell=watch.tell,
    )
    opened.callback(engines.close)
    wikis = _wikis(settings, engines)
    redis, redis_state = opened.enter_context(closing(connect_redis(settings))), RedisState()
    http_loop = opened.enter_context(closing(HttpLoop()))
    runner = opened.enter_context(closing(ThreadLoops()))
    sinks = _sinks(opened, settings, http_loop)
    limits = {
        name: _limits(endpoint, settings, redis, redis_state) for name, endpoint in settings.endpoints_by_name.items()
    }
    apis = {wiki: api for wiki in settings.wikis if (api := settings.wiki_api_of(wiki)) is not None}
    api_limits = {wiki: _limits(api, settings, redis, redis_state) for wiki, api in apis.items()}
    wiki_apis = http_loop.run(_wiki_apis(settings, apis, api_limits, http_loop))
    client = ClientInLoop(http_loop.run(_client(settings, limits, wiki_apis)), http_loop)
    for close in (*(api.close for api in wiki_apis.values()), client.close):
        opened.callback(_run, runner, close)
    flights = _flights(settings, wikis, redis, redis_state, http_loop)
    doorbell = _doorbell(settings, redis, send)
    opened.callback(doorbell.close)
    # First of all, or it would probe servers whose engines are closed, and ring for them.
    opened.callback(watch.close)
    documents = Documents(redis, prefix=settings.redis_prefix)
    consumers = {
        each.lane.name: each for each in _consumers(settings, client, flights, sinks, computing, wiki_apis, documents)
    }
    return Services(
        settings=settings,
        wikis=wikis,
        engines=engines,
        watch=watch,
        redis=redis,
        redis_state=redis_state,
        doorbell=doorbell,
        client=client,
        wiki_apis=wiki_apis,
        limits=limits,
        api_limits=api_limits,
        flights=flights,
        documents=documents,
        sinks=sinks,
        consumers=consumers,
        turns=Turns(
            consumers=consumers,
            bell=doorbell,
            bulkheads=bulkheads,
            computing=computing,
            loops=runner,
            settings=settings.outbox,
        ),
        runner=runner,
        http_loop=http_loop,
        opened=opened,
    )


def _sinks(opened: ExitStack, settings: Settings, http_loop: HttpLoop) -> dict[str, EventSink]:
    agent = user_agent(settings.contact)
    return {
        name: opened.enter_context(closing(SINKS[name].open(section, agent, settings.routes, http_loop)))
        for name, section in settings.sinks.named.items()
    }


def _doorbell(settings: Settings, redis: Redis, send: Callable[..., None]) -> Doorbell:
    return Doorbell(
        redis,
        send,
        # A ring that was lost with a worker is repeated at the second poll after it.
        unanswered_seconds=2 * settings.poll_seconds,
        prompted_seconds=settings.upkeep.prompted_seconds,
        rest_seconds=settings.worker.rest_seconds,
        prefix=settings.redis_prefix,
    )


def _run(runner: ThreadLoops, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    runner.run(close())


def _wikis(settings: Settings, engines: Engines) -> dict[str, Wiki]:
    models = settings.scoring_models()
    return {
        wiki_id: Wiki(
            id=wiki_id,
            settings=wiki,
            models=settings.models_of(wiki_id, models),
            thresholds=with_thresholds(wiki.thresholds),
            database=engines.open(wiki_id, wiki.database_url.get_secret_value()),
        )
        for wiki_id, wiki in settings.wikis.items()
    }


def _consumers(
    settings: Settings,
    client: ScoringClient,
    flights: Mapping[str, Flight],
    sinks: Mapping[str, EventSink],
    computing: Computing,
    wiki_apis: Mapping[str, WikiApi],
    documents: Documents,
) -> Iterator[Consumer]:
    """The consumers, each with its lane; a further one is a room of its own and a `yield` here."""
    event_lanes = {name: EVENT_LANES[name] for name in sinks}
    announcing = Announcing(settings=settings.events, models=settings.scoring_models())
    namespaces = Namespaces(wiki_apis)
    for lane, announced in ((EDITS, event_lanes), (BACKFILL, dict[str, Lane]())):
        yield ScoreConsumer(
            lane=lane,
            client=client,
            flights=flights,
            announcing=announcing,
            documents=documents,
            event_lanes=announced,
            settings=settings.outbox,
            computing=computing,
            page_sources=(OwnTables(), WikiApis(wiki_apis)),
            namespaces=namespaces,
        )
    for name, sink in sinks.items():
        yield Publisher(
            lane=EVENT_LANES[name],
            most_at_once=SINKS[name].most_at_once,
            name=name,
            sink=sink,
            settings=settings.outbox,
            computing=computing,
            circuit=Circuit(f"sink {name}"),
            streams=UnknownStreams(name),
        )


def _flights(
    settings: Settings, wikis: Mapping[str, Wiki], redis: Redis, state: RedisState, http_loop: HttpLoop
) -> dict[str, Flight]:
    """The single flight of each wiki; all share the process tier and Redis."""
    flight = settings.flight
    lifetimes = Lifetimes(lease=flight.lease_seconds, result=flight.result_ttl_seconds, error=flight.error_ttl_seconds)
    # Long enough for most of those who waited. Later it is found in Redis, where it can be dropped for all.
    briefly = replace(lifetimes, result=BRIEF_SECONDS, error=BRIEF_SECONDS)
    process_tier = ProcessTier(briefly)
    redis_tier = RedisTier(redis, _connect_async(settings), lifetimes, prefix=settings.redis_prefix)
    return {
        name: Flight(
            [process_tier, FallbackTier(redis_tier, DatabaseTier(wiki.database, lifetimes), state)],
            flight,
            http_loop.begin,
        )
        for name, wiki in wikis.items()
    }


def build_door(settings: Settings, *, sends: Sends = SENDS) -> Door:
    """What the front door asks, which itself has no database, no endpoint and no Redis. Used in one event loop."""
    connect = _connect_async(settings)
    return Door(
        connect(socket_keepalive=True, retry=AsyncRetry(NoBackoff(), 1)),
        Hints(connect),
        sends,
        RedisState(effect="the front door answers 503 until it is back"),
        prefix=settings.redis_prefix,
        queue_maxsize=settings.queue_maxsize,
        # Once for a connection that went silent, and once for a new one.
        silence_seconds=min(2 * settings.redis_timeout_seconds, settings.web.timeout_seconds),
    )


def _connect_async(settings: Settings) -> "partial[AsyncRedis]":
    """Makes connections to the Redis of *settings* for an event loop, with the same deadlines."""
    url, silence = settings.redis, settings.redis_timeout_seconds
    return partial(
        AsyncRedis.from_url,
        # By rediss:// it would take a class of its own, whichever it is given.
        url.address.replace("rediss://", "redis://", 1),
        **url.options,
        connection_class=async_connection_class(url),
        socket_timeout=silence,
        socket_connect_timeout=silence,
    )


def connect_redis(settings: Settings) -> Redis:
    """The Redis of *settings*; commands fail within seconds if it is gone, so that work goes on without it."""
    return Redis.from_url(
        settings.redis.address,
        **settings.redis.options,
        connection_class=connection_class(settings.redis),
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1),
    )


_services: Services | None = None
_building = threading.Lock()


def services(*, threads: int | None = None) -> Services:
    """The services of this process, built once, at the first call in any thread.

    That first call may say how many *threads* there are, instead of the settings.
    """
    global _services  # noqa: PLW0603 - one for the process
    with _building:
        if _services is None:
            _services = build_services(_with_threads(load_settings(), threads))
            _services.watch_servers()
        return _services


def _with_threads(settings: Settings, threads: int | None) -> Settings:
    if threads is None:
        return settings
    return settings.model_copy(update={"worker": settings.worker.model_copy(update={"threads": threads})})


def _limits(here: EndpointSettings, settings: Settings, redis: Redis, redis_state: RedisState) -> SharedLimits:
    ceilings = Ceilings(
        requests_per_second=here.requests_per_second,
        concurrency=here.concurrency,
        slow_seconds=here.slow_seconds,
        timeout_seconds=here.timeout_seconds,
        processes=settings.worker.processes or os.cpu_count() or 1,
    )
    member, prefix = uuid.uuid4().hex, settings.redis_prefix
    return SharedLimits(here.url, ceilings, member, redis, redis_state, time.monotonic, prefix=prefix)


async def _client(
    settings: Settings, limits: Mapping[str, SharedLimits], wiki_apis: Mapping[str, WikiApi]
) -> ScoringClient:
    """A client of all endpoints, made inside the event loop that will use it: the connections belong to that loop."""
    models = settings.scoring_models()
    languages = {wiki_id: wiki.language for wiki_id, wiki in settings.wikis.items()}

    async def pages(wiki: str, revisions: Collection[int]) -> Mapping[int, int] | None:
        return await wiki_apis[wiki].pages_of_revisions(revisions) if wiki in wiki_apis else None

    models_by_wiki, clients = settings.models_by_wiki(), {}
    for name, here in settings.endpoints_by_name.items():
        patience = settings.flight.call_seconds - here.timeout_seconds
        pacer = Pacer(here.url, limits[name], patience=patience, wikis=_wikis_of(name, models_by_wiki))
        endpoint = Endpoint(here, pacer, settings.routes, section_of(name))
        clients[name] = KINDS[here.kind].open(endpoint, models, languages, pages)
    return EndpointRouter(clients, models)


def _wikis_of(endpoint: str, models: Mapping[str, Mapping[str, ScoringModel]]) -> list[str]:
    """The wikis that ask *endpoint*, by the *models* of each wiki."""
    return [wiki for wiki, those in models.items() if any(model.endpoint == endpoint for model in those.values())]


async def _wiki_apis(
    settings: Settings, apis: Mapping[str, EndpointSettings], limits: Mapping[str, SharedLimits], http_loop: HttpLoop
) -> dict[str, WikiApi]:
    """Clients of the wikis' *apis*, made inside the event loop of HTTP."""
    clients = {}
    for wiki, here in apis.items():
        pacer = Pacer(here.url, limits[wiki], patience=settings.wiki_api.patience_seconds)
        setting = f"wikis.{wiki}.api_url"
        endpoint = Endpoint(
            here, pacer, settings.routes, setting, setting=setting, cures=cure_of_api, asks_for_scores=False
        )
        clients[wiki] = WikiApi(endpoint, wiki, http_loop, maxlag=settings.wiki_api.maxlag_seconds)
    return clients
