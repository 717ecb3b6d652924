"""Processes that all ask for the same few ids, while others kill and stop them and empty or kill Redis."""

import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.acceptance.flights.asker import HOT
from tests.acceptance.flights.checker import Disruption
from tests.acceptance.flights.records import Call, Record, contact_of, read_call, read_records
from tests.acceptance.running import Running, running
from worker.demo.processes import Child

ROOT = Path(__file__).resolve().parents[3]
VERSION = "0.5.1"
PROCESSES = 3
THREADS = 4
#: New ids become hot so often.
GENERATION_SECONDS = 0.4
HOT_IDS = 7
CALLS_TAKE: dict[str, Any] = {"varying_scores": True, "latency_ms": 75, "latency_jitter_ms": 45}
#: So long that no lease runs out of a holder that is only slow, or has no time of the machine for long.
LONG_CALLS = 60.0
SHORT_CALLS = 1.2
LEASE_MARGIN_SECONDS = 0.8

#: Something to do, and how many seconds after the start.
Deed = tuple[float, Callable[[], None]]


@dataclass(slots=True)
class Asking:
    """One asker that runs."""

    name: str
    child: Child
    stopped_at: float | None = None


@dataclass(slots=True)
class Chaos:
    """What is done to askers and to Redis, and what is known of it afterwards."""

    here: Running
    chance: random.Random
    #: One for each place; who is killed is followed by another.
    askers: list[Asking] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    disruptions: list[Disruption] = field(default_factory=list)
    #: Redis was killed and started again between these moments.
    outages: list[tuple[float, float]] = field(default_factory=list)
    generations: list[list[str]] = field(default_factory=list)

    def make_hot(self, ids: Sequence[str]) -> None:
        """Let the askers ask for *ids* from now on."""
        fresh = self.here.directory / f"{HOT}.new"
        fresh.write_text("\n".join(ids))
        fresh.rename(self.here.directory / HOT)

    def next_generation(self) -> None:
        """Other ids become hot; two of the last ones stay so."""
        first = 1000 + HOT_IDS * len(self.generations)
        ids = [f"enwiki:damaging:{revision}:{VERSION}" for revision in range(first, first + HOT_IDS)]
        last = self.generations[-1][:2] if self.generations else []
        self.generations.append(ids)
        self.make_hot(ids + last)

    def start_askers(self) -> None:
        """Start them all, and wait until each asks."""
        for place in range(PROCESSES):
            self.askers.append(self._started(place))
        self.here.until(lambda: all(map(self._asks, self.names)), "askers that ask")

    def kill(self, place: int) -> None:
        """SIGKILL the asker at *place*, and start another there."""
        asker = self.askers[place]
        start = asker.stopped_at or time.monotonic()
        asker.child.process.kill()
        asker.child.process.wait()
        self.disruptions.append(Disruption(start=start, end=time.monotonic(), process=asker.name, killed=True))
        self.here.processes.stop(asker.child)
        self.askers[place] = self._started(place)

    def stop(self, place: int) -> None:
        """SIGSTOP the asker at *place*."""
        asker = self.askers[place]
        asker.stopped_at = asker.stopped_at or time.monotonic()
        os.kill(asker.child.process.pid, signal.SIGSTOP)

    def go_on(self, place: int) -> None:
        """SIGCONT the asker at *place*, if it is stopped."""
        asker = self.askers[place]
        if asker.stopped_at is not None:
            os.kill(asker.child.process.pid, signal.SIGCONT)
            self.disruptions.append(Disruption(start=asker.stopped_at, end=time.monotonic(), process=asker.name))
            asker.stopped_at = None

    def flush(self) -> None:
        start = time.monotonic()
        self.here.redis.flushall()
        self.disruptions.append(Disruption(start=start, end=time.monotonic()))

    def flush_in_a_call(self) -> None:
        """Empty Redis while the endpoint is being asked."""
        if not self._sees_a_call():
            # We are late: its calls have ended.
            self.here.until(self._sees_a_call, "a call under way", meanwhile=self.next_generation)
        self.flush()

    def kill_redis(self) -> None:
        start = time.monotonic()
        self.here.kill("redis")
        gone = time.monotonic()
        self.disruptions.append(Disruption(start=start, end=gone))
        self.outages.append((gone, gone))

    def start_redis(self) -> None:
        """Start Redis again, once all askers have noticed that it is gone, and asked without it."""
        gone, _ = self.outages[-1]
        killed = max(each.start for each in self.disruptions if each.process is None and each.start <= gone)
        # Some notice it before the end of the process is seen here.
        self._until(lambda: self._all_logged("redis_gone", killed), "askers that noticed")
        self._until(lambda: bool(called_between(self.records(), gone, math.inf)), "a call without Redis")
        self.outages[-1] = (gone, time.monotonic())
        self.here.start_redis()

    def until_redis_is_noticed(self) -> None:
        """Wait until all askers have noticed that Redis is back.

        Until the last of them did, some have their leases in Redis and others in the database, which is a loss of all.
        """
        back = self.outages[-1][1]
        self._until(lambda: self._all_logged("redis_back", back), "askers that noticed")
        noticed = [max(self.log_times(asker.name, "redis_back")) for asker in self.askers]
        self.disruptions.append(Disruption(start=back, end=max(noticed)))

    def pass_time(self, seconds: float, deeds: Sequence[Deed] = ()) -> None:
        """Let generations follow each other for so long, and do the *deeds* when they are due."""
        count = round(seconds / GENERATION_SECONDS)
        turns: list[Deed] = [(number * GENERATION_SECONDS, self.next_generation) for number in range(count)]
        began = time.monotonic()
        for due, deed in [*sorted([*turns, *deeds], key=lambda turn: turn[0]), (seconds, lambda: None)]:
            time.sleep(max(0.0, began + due - time.monotonic()))
            deed()

    def in_a_call(self, generation: int) -> float:
        """A moment, in seconds after the start, at which the ids of that generation are probably being called for."""
        return generation * GENERATION_SECONDS + self.chance.uniform(0.01, 0.1)

    def ask_for_all_again(self) -> None:
        """Let all ids be asked for a last time, whoever had them before; then end the askers.

        By then each asker has asked, be it one that was started a moment ago.
        """
        since = time.monotonic()
        self.make_hot(self.unanswered(since))
        time.sleep(2 * GENERATION_SECONDS)
        self.until_all_are_answered(since)
        self.here.until(lambda: all(self._asks(asker.name) for asker in self.askers), "askers that ask")
        self.end_askers()

    def until_all_are_answered(self, since: float = 0.0) -> None:
        """Wait until each id was asked for and answered after *since*; what is not yet is hot meanwhile."""
        self.here.until(
            lambda: not self.unanswered(since),
            "answers for all",
            meanwhile=lambda: self.make_hot(self.unanswered(since) or self.generations[-1]),
        )

    def unanswered(self, since: float = 0.0) -> list[str]:
        """The ids of all generations that no asker got an answer for after *since*."""
        answered = {record.score_id for record in self.records() if record.body is not None and record.at > since}
        return [score_id for ids in self.generations for score_id in ids if score_id not in answered]

    def end_askers(self) -> None:
        """Ask all to end; one that does not is ended without being known as killed, and so found to hang."""
        for place, asker in enumerate(self.askers):
            self.go_on(place)
            asker.child.process.terminate()
        with suppress(AssertionError):
            self.here.until(
                lambda: all(asker.child.process.poll() is not None for asker in self.askers), "the end of the askers"
            )
        for asker in self.askers:
            if asker.child.process.poll() is None:
                asker.child.process.kill()
            self.here.processes.stop(asker.child)

    def codes(self) -> set[int | None]:
        """With which codes those askers ended that nobody killed."""
        return {asker.child.process.returncode for asker in self.askers}

    def records(self) -> Iterator[Record]:
        for name in self.names:
            with (self.here.directory / f"{name}.ndjson").open(encoding="utf-8") as lines:
                yield from read_records(lines)

    def all_disruptions(self) -> list[Disruption]:
        """What was done to them, and when the machine had no time for one."""
        starved = [
            Disruption(start=float(start), end=float(end), process=name)
            for name in self.names
            if (pulse := self.here.directory / f"{name}.pulse").exists()
            for start, end in map(str.split, pulse.read_text().splitlines())
        ]
        return self.disruptions + starved

    def calls(self) -> list[Call]:
        return [read_call(call, VERSION) for call in self.here.endpoint.calls() if call["kind"] != "info"]

    def log_times(self, name: str, event: str) -> list[float]:
        """When that asker wrote that event to its log, in monotonic seconds."""
        wall = time.time() - time.monotonic()
        lines = (self.here.directory / f"{name}.log").read_text().splitlines()
        log_times = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [
            datetime.fromisoformat(line["timestamp"]).timestamp() - wall for line in log_times if line["event"] == event
        ]

    def _started(self, place: int) -> Asking:
        name = f"asker-{place}-{len(self.names)}"
        (self.here.directory / f"{name}.ndjson").touch()
        child = self.here.processes.start(
            name,
            [sys.executable, "-m", "tests.acceptance.flights.asker", name, self.here.directory, str(THREADS), "1"],
            environment=self.here.environment | {"OUTPATROL_ENDPOINT__CONTACT": contact_of(name)},
            cwd=ROOT,
        )
        self.names.append(name)
        return Asking(name, child)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for *condition* while other ids become hot, for only who asks for something new looks."""
        self.here.until(condition, what, meanwhile=partial(self.pass_time, GENERATION_SECONDS))

    def _sees_a_call(self) -> bool:
        """Whether a call is under way at some moment of as long as a generation lasts."""
        began = time.monotonic()
        while time.monotonic() - began < GENERATION_SECONDS:
            if self.here.endpoint.summary()["in_flight"]:
                return True
        return False

    def _all_logged(self, event: str, since: float) -> bool:
        """Whether each asker has written that event since that moment."""
        return all(any(moment >= since for moment in self.log_times(asker.name, event)) for asker in self.askers)

    def _asks(self, name: str) -> bool:
        return (self.here.directory / f"{name}.ndjson").stat().st_size > 0


def called_between(records: Iterable[Record], since: float, until: float) -> set[str]:
    """The ids that somebody was about to call for before *until*, in a request that began after *since*."""
    asked: set[tuple[str, int, int]] = set()
    found = set()
    for record in records:
        request = (record.process, record.thread, record.request)
        if record.what == "asked" and record.at > since:
            asked.add(request)
        if record.what == "calling" and record.at < until and request in asked:
            found.add(record.score_id)
    return found


@contextmanager
def chaos(directory: Path, database_url: str, *, seed: int, call_seconds: float = LONG_CALLS) -> Iterator[Chaos]:
    """Askers that ask, with an endpoint, a Redis and a database of their own; calls must end in *call_seconds*."""
    flight = {"call_seconds": call_seconds, "lease_margin_seconds": LEASE_MARGIN_SECONDS}
    endpoint = {"timeout_seconds": call_seconds * 0.7, "requests_per_second": 100_000, "concurrency": 500}
    with running(
        directory, {"enwiki": database_url}, worker=False, beat=False, flight=flight, endpoint=endpoint
    ) as here:
        here.endpoint.set(**CALLS_TAKE)
        made = Chaos(here, random.Random(seed))
        made.next_generation()
        made.start_askers()
        try:
            yield made
        finally:
            # Who is stopped can't end.
            for place in range(len(made.askers)):
                made.go_on(place)


def stopped_for_long(chaos: Chaos, place: int, since: float) -> list[Deed]:
    """Stop the asker at *place* until its leases of short calls have run out, and others probably call instead."""
    until = since + SHORT_CALLS + LEASE_MARGIN_SECONDS + chaos.chance.uniform(0, 0.1)
    return [(since, partial(chaos.stop, place)), (until, partial(chaos.go_on, place))]
