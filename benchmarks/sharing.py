"""How many calls many askers of one score cost: ours, and askers who call for themselves."""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass

from benchmarks.measuring import Announce
from benchmarks.servers import Servers
from tests.builders import some_settings
from tests.worker.flights import LIFETIMES, a_redis_tier
from worker.bootstrap import build_services
from worker.domain.scores import ScoreId
from worker.flight.flight import Flight
from worker.flight.process_tier import ProcessTier

ASKERS = (1, 10, 100)
#: The askers are spread over this many flights, each with a process tier of its own, as if in as many processes.
FLIGHTS = 4
#: Scores that are wanted, each by all askers at once.
IDS = 20
LATENCY_MILLISECONDS = 50


@dataclass(frozen=True, slots=True)
class Sharing:
    """The result of *askers* at once for each score."""

    askers: int
    answers: int
    calls: int
    shared: int
    seconds: float

    @property
    def answers_a_call(self) -> float:
        return self.answers / self.calls


def measure_sharing(servers: Servers, announce: Announce) -> list[Sharing]:
    """Ask for fresh scores with 1, 10 and 100 askers an id; all share one Redis."""
    servers.endpoint.reset()
    servers.endpoint.set(latency_ms=LATENCY_MILLISECONDS)
    tell = announce("askers at once", len(ASKERS))
    found = []
    for number, askers in enumerate(ASKERS, 1):
        found.append(_measure(servers, askers, first=1 + number * IDS))
        tell(number)
    return found


def _measure(servers: Servers, askers: int, first: int) -> Sharing:
    settings = some_settings(
        redis_url=servers.redis_url,
        # Who does not wait for Redis does not share.
        redis_timeout_seconds=60,
        scoring_url=servers.endpoint.url,
        database_url=f"sqlite:///{servers.directory / 'sharing.db'}",
        endpoint={"requests_per_second": 100_000, "concurrency": 256, "scores_per_request": 1},
    )
    ids = [ScoreId("enwiki", "damaging", revision, "0.5.1") for revision in range(first, first + IDS)]
    before = servers.endpoint.summary()["calls"]
    with closing(build_services(settings)) as services:
        call, redis_tier = services.client.score, a_redis_tier(services.redis)
        flights = [Flight([ProcessTier(LIFETIMES), redis_tier], settings.flight) for _ in range(FLIGHTS)]

        async def all_at_once() -> int:
            result = await asyncio.gather(
                *(flights[asker % FLIGHTS].scores([score_id], call) for score_id in ids for asker in range(askers))
            )
            return sum(each.shared for each in result)

        started = time.perf_counter()
        shared = services.runner.run(all_at_once())
        seconds = time.perf_counter() - started
    calls = servers.endpoint.summary()["calls"] - before
    return Sharing(askers=askers, answers=IDS * askers, calls=calls, shared=shared, seconds=seconds)
