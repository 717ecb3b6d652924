"""The front door: cached scores beside the framework's empty reply, many of them a request, and beside a drain."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from redis import Redis

from benchmarks.columns import COLUMNS, REVSCORING, WIKI
from benchmarks.contenders import Contender, outpatrol
from benchmarks.edits import endless_edits
from benchmarks.lean_client import asked, seconds_of
from benchmarks.measuring import Announce
from benchmarks.meters import cpu_seconds
from benchmarks.servers import ROOT, Servers, inherited
from tests.builders import a_score
from worker.demo.processes import Processes, answers, free_port
from worker.domain.scores import ScoreId
from worker.flight.documents import Documents
from worker.flight.redis_tier import result_key
from worker.flight.results import encode_result
from worker.settings import FILE_VARIABLE

#: Asked for again and again.
FEW_REVISIONS = 500
#: As the specification of the API allows in one request.
MANY = 50
#: A request for many in so many for one.
RARELY = 20
SEEDED_AT_ONCE = 10_000
VERSION = "0.5.1"
KEPT_MILLISECONDS = 3_600_000
CORES = os.cpu_count() or 1
#: Requests beside a drain come at this pace, whatever becomes of those before them.
PACE_SECONDS = 0.02
WANTED_RATIO, WANTED_SCORES, WANTED_MILLISECONDS, WANTED_SLOWDOWN = 0.6, 5_000, 50, 0.05


@dataclass(frozen=True, slots=True)
class Replies:
    """How many replies a server gave, and the processor time that each took it, which other work hardly changes."""

    per_second: float
    microseconds: float


@dataclass(frozen=True, slots=True)
class WebServer:
    port: int
    process: int

    def replies(self, paths: Sequence[str]) -> Replies:
        before = cpu_seconds(self.process)
        seconds = seconds_of(self.port, paths)
        return Replies(len(paths) / seconds, 1e6 * (cpu_seconds(self.process) - before) / len(paths))


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the front door came to; medians of rounds in which each was measured once."""

    bare: Replies
    #: Of scores that were asked for within the second before.
    repeated: Replies
    #: Of the same in another form, so that no reply is there already.
    remembered: Replies
    #: Of scores that nobody asked for before, each looked up in Redis.
    cached: Replies
    #: Of 50 revisions each that nobody asked for before.
    many: Replies
    #: Of requests for 50 revisions while edits drained.
    p99_milliseconds: float
    #: Edits a second of drains, in turns: alone, beside these requests, and alone again.
    alone: Sequence[float]
    beside: Sequence[float]
    #: The part of both cores that the door took meanwhile, and the part that asking it took.
    part_of_door: float
    part_of_asking: float

    @property
    def ratio(self) -> float:
        return self.repeated.per_second / self.bare.per_second

    @property
    def remembered_ratio(self) -> float:
        return self.remembered.per_second / self.bare.per_second

    @property
    def many_scores_per_second(self) -> float:
        return self.many.per_second * MANY * len(REVSCORING)

    @property
    def cached_ratio(self) -> float:
        return self.cached.per_second / self.bare.per_second

    @property
    def slowdown(self) -> float:
        """Drains become faster or slower by themselves: what lies between two is compared with both."""
        pairs = zip(self.alone, self.beside, self.alone[1:], strict=False)
        return mean(1 - beside / mean((before, after)) for before, beside, after in pairs)


def measure_web(servers: Servers, announce: Announce, *, requests: int, edits: int, rounds: int = 3) -> Web:
    """Measure on a worker of two processes in its defaults, one front door and one bare server."""
    directory = servers.directory / "web"
    directory.mkdir()
    with outpatrol(servers, COLUMNS["ores-0"], directory) as contender, _doors(directory) as (door, bare):
        # Each request for cached scores asks for others.
        of_many = max(1, requests // RARELY)
        of_round = requests + of_many * MANY
        revisions = rounds * of_round
        _cache(servers, revisions)
        tell = announce("requests", 5 * rounds)
        measured: list[tuple[Replies, ...]] = []
        for number in range(rounds):
            first = 1 + number * of_round
            once = [_one(first + each) for each in range(requests)]
            later = [f"{path}&again" for path in once]
            again = [_one(1 + each % FEW_REVISIONS) for each in range(requests)]
            many = [_many(first + requests + MANY * each) for each in range(of_many)]
            door.replies(again[:FEW_REVISIONS])
            found = list[Replies]()
            for server, paths in ((bare, again), (door, again), (door, once), (door, later), (door, many)):
                found.append(server.replies(paths))
                tell(5 * number + len(found))
            measured.append(tuple(found))
        # The first drain of a worker is slower than those after it.
        _drained(contender, edits, announce)
        alone, disturbed, beside = [_drained(contender, edits, announce)], list[float](), Beside()
        for _ in range(rounds):
            with _asking(door, revisions, beside):
                disturbed.append(_drained(contender, edits, announce))
            alone.append(_drained(contender, edits, announce))
    of_bare, repeated, cached, remembered, many_ = (_median(column) for column in zip(*measured, strict=True))
    return Web(
        bare=of_bare,
        repeated=repeated,
        remembered=remembered,
        cached=cached,
        many=many_,
        p99_milliseconds=1000 * sorted(beside.latencies)[int(len(beside.latencies) * 0.99)],
        alone=alone,
        beside=disturbed,
        part_of_door=beside.of_door / beside.seconds / CORES,
        part_of_asking=beside.of_asking / beside.seconds / CORES,
    )


def _median(rounds: Sequence[Replies]) -> Replies:
    return Replies(median(each.per_second for each in rounds), median(each.microseconds for each in rounds))


def _one(revision: int) -> str:
    return f"/v3/scores/{WIKI}/{revision}/damaging?format=json"


def _many(first: int) -> str:
    return f"/v3/scores/{WIKI}/?format=json&revids={'|'.join(map(str, range(first, first + MANY)))}"


def _drained(contender: Contender, edits: int, announce: Announce) -> float:
    """Edits a second of one drain."""
    contender.fill(endless_edits(), edits)
    times = contender.run(edits, announce("draining", edits))
    return edits / (times.announced - times.started)


@dataclass(slots=True)
class Beside:
    """What asking beside a drain came to: seconds, and those of processor time."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    of_door: float = 0.0
    of_asking: float = 0.0


@contextmanager
def _asking(door: WebServer, revisions: int, beside: Beside) -> Iterator[None]:
    """Ask for many cached scores at a steady pace, over one connection."""
    over, asked_before = threading.Event(), len(beside.latencies)

    def ask() -> None:
        began = time.thread_time()
        with socket.create_connection(("127.0.0.1", door.port)) as connection:
            while not over.wait(PACE_SECONDS) or len(beside.latencies) == asked_before:
                first = 1 + len(beside.latencies) * MANY % max(1, revisions - MANY)
                beside.latencies.append(asked(connection, _many(first)))
        beside.of_asking += time.thread_time() - began

    thread, began, of_door = threading.Thread(target=ask), time.perf_counter(), cpu_seconds(door.process)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        beside.seconds += time.perf_counter() - began
        beside.of_door += cpu_seconds(door.process) - of_door


def _cache(servers: Servers, revisions: int) -> None:
    """As after so many edits."""
    with Redis.from_url(servers.redis_url) as redis:
        for first in range(1, max(revisions, FEW_REVISIONS) + 1, SEEDED_AT_ONCE):
            with redis.pipeline(transaction=False) as pipeline:
                for revision in range(first, first + SEEDED_AT_ONCE):
                    for model in REVSCORING:
                        wanted = ScoreId(WIKI, model, revision, VERSION)
                        result = encode_result(wanted, a_score(model=model))
                        pipeline.set(result_key(wanted), result, px=KEPT_MILLISECONDS)
                pipeline.execute()
        Documents(redis).keep_versions(WIKI, dict.fromkeys(REVSCORING, VERSION))


@contextmanager
def _doors(directory: Path) -> Iterator[tuple[WebServer, WebServer]]:
    """A front door and a bare server."""
    door, bare = free_port(), free_port()
    ours = inherited() | {FILE_VARIABLE: str(directory / "outpatrol.toml")}
    with Processes(directory) as processes:
        started = [
            (
                processes.start(
                    "web", [sys.executable, "-m", "worker.cli", "web", "--port", str(door)], environment=ours
                ),
                door,
            ),
            (
                processes.start(
                    "bare", [sys.executable, "-m", "benchmarks.bare_web", str(bare)], cwd=ROOT, environment=inherited()
                ),
                bare,
            ),
        ]
        for child, port in started:
            processes.wait_until(child, lambda port=port: answers(port))  # type: ignore[misc]
        of_door, of_bare = (WebServer(port, child.process.pid) for child, port in started)
        yield of_door, of_bare
