"""The front door: cached scores beside the framework's empty reply, many of them a request, and beside a drain."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from redis import Redis

from benchmarks.columns import COLUMNS, REVSCORING, WIKI
from benchmarks.contenders import Contender, outpatrol
from benchmarks.edits import endless_edits
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

CONNECTIONS = 16
#: Asked for again and again.
FEW_REVISIONS = 500
#: As the specification of the API allows in one request.
MANY = 50
VERSION = "0.5.1"
KEPT_MILLISECONDS = 3_600_000
#: Requests beside a drain come at this pace, whatever becomes of those before them.
PACE_SECONDS = 0.02
WANTED_RATIO, WANTED_SCORES, WANTED_MILLISECONDS, WANTED_SLOWDOWN = 0.6, 5_000, 50, 0.05


@dataclass(frozen=True, slots=True)
class Replies:
    """How many replies a server gave, and the processor time that each took it, which other work hardly changes."""

    per_second: float
    microseconds: float


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    process: int

    def replies(self, paths: Sequence[str]) -> Replies:
        before = cpu_seconds(self.process)
        seconds = asyncio.run(seconds_of(self.port, paths))
        return Replies(len(paths) / seconds, 1e6 * (cpu_seconds(self.process) - before) / len(paths))


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the front door came to; medians of rounds in which each was measured once."""

    bare: Replies
    #: Of scores that were asked for within the second before.
    repeated: Replies
    #: Of scores that nobody asked for before, each looked up in Redis.
    cached: Replies
    many_scores_per_second: float
    #: Of cached scores asked for while edits drained.
    p99_milliseconds: float
    edits_per_second_alone: float
    edits_per_second_beside: float

    @property
    def ratio(self) -> float:
        return self.repeated.per_second / self.bare.per_second

    @property
    def cached_ratio(self) -> float:
        return self.cached.per_second / self.bare.per_second

    @property
    def slowdown(self) -> float:
        return 1 - self.edits_per_second_beside / self.edits_per_second_alone


def measure_web(servers: Servers, announce: Announce, *, requests: int, edits: int, rounds: int = 3) -> Web:
    """Measure on a worker of two processes in its defaults, one front door and one bare server."""
    directory = servers.directory / "web"
    directory.mkdir()
    with outpatrol(servers, COLUMNS["ores-0"], directory) as contender, _doors(directory) as (door, bare):
        # Each request for cached scores asks for others.
        revisions = rounds * requests + MANY
        _cache(servers, revisions)
        tell = announce("requests", 4 * rounds)
        measured: list[tuple[Replies, ...]] = []
        for number in range(rounds):
            again = [_one(1 + each % FEW_REVISIONS) for each in range(requests)]
            once = [_one(1 + number * requests + each) for each in range(requests)]
            many = [_many(1 + number * requests + each) for each in range(max(1, requests // 10))]
            door.replies(again[:FEW_REVISIONS])
            found = list[Replies]()
            for server, paths in ((bare, again), (door, again), (door, once), (door, many)):
                found.append(server.replies(paths))
                tell(4 * number + len(found))
            measured.append(tuple(found))
        # The first drain of a worker is slower than those after it.
        _drained(contender, edits, announce, beside=None)
        alone, _ = _drained(contender, edits, announce, beside=None)
        beside, latencies = _drained(contender, edits, announce, beside=door.port)
    of_bare, repeated, cached, of_many = (_median(column) for column in zip(*measured, strict=True))
    return Web(
        bare=of_bare,
        repeated=repeated,
        cached=cached,
        many_scores_per_second=of_many.per_second * MANY * len(REVSCORING),
        p99_milliseconds=1000 * sorted(latencies)[int(len(latencies) * 0.99)],
        edits_per_second_alone=alone,
        edits_per_second_beside=beside,
    )


def _median(rounds: Sequence[Replies]) -> Replies:
    return Replies(median(each.per_second for each in rounds), median(each.microseconds for each in rounds))


async def seconds_of(port: int, paths: Sequence[str]) -> float:
    """How long *paths* take over some connections that are kept; each has to be answered with 200."""
    left = iter(paths)
    began = time.perf_counter()
    await asyncio.gather(*(_asked(port, left) for _ in range(min(CONNECTIONS, len(paths)))))
    return time.perf_counter() - began


async def _asked(port: int, paths: Iterator[str], tell: Callable[[float], None] = lambda _: None) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for path in paths:
            began = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(f"{path}: {head[:60]!r}")
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            tell(time.perf_counter() - began)
    finally:
        writer.close()


def _one(revision: int) -> str:
    return f"/v3/scores/{WIKI}/{revision}/damaging?format=json"


def _many(first: int) -> str:
    return f"/v3/scores/{WIKI}/?format=json&revids={'|'.join(map(str, range(first, first + MANY)))}"


def _drained(contender: Contender, edits: int, announce: Announce, *, beside: int | None) -> tuple[float, list[float]]:
    """Edits a second of one drain, and how long requests took that came beside it."""
    contender.fill(endless_edits(), edits)
    latencies, over = [0.0], threading.Event()

    def ask() -> None:
        while beside is not None and not over.wait(PACE_SECONDS):
            asyncio.run(_asked(beside, iter([_one(len(latencies))]), latencies.append))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        times = contender.run(edits, announce(f"draining{' beside requests' if beside else ''}", edits))
    finally:
        over.set()
        asking.join()
    return edits / (times.announced - times.started), latencies


def _cache(servers: Servers, revisions: int) -> None:
    """As after so many edits."""
    with Redis.from_url(servers.redis_url) as redis:
        with redis.pipeline(transaction=False) as pipeline:
            for revision in range(1, max(revisions, FEW_REVISIONS) + 1):
                for model in REVSCORING:
                    wanted = ScoreId(WIKI, model, revision, VERSION)
                    pipeline.set(result_key(wanted), encode_result(wanted, a_score(model=model)), px=KEPT_MILLISECONDS)
            pipeline.execute()
        Documents(redis).keep_versions(WIKI, dict.fromkeys(REVSCORING, VERSION))


@contextmanager
def _doors(directory: Path) -> Iterator[tuple[Server, Server]]:
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
        of_door, of_bare = (Server(port, child.process.pid) for child, port in started)
        yield of_door, of_bare
