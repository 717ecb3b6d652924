"""Processes that share an endpoint and may die, with a Redis that comes and goes: nobody exceeds the ceiling."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from tests.examples import examples
from tests.worker.limits.crowd import TIMEOUT_SECONDS, ceilings
from worker.config.redis_state import PAUSE_SECONDS, RedisState
from worker.endpoints.limits import Report
from worker.endpoints.shared_limits import LOAD, SEEN_SECONDS, SharedLimits

PROCESSES = 4
NUMBERS = st.integers(0, PROCESSES - 1)


@dataclass(slots=True)
class Memory:
    """What a Redis keeps, by a clock of ours; while it is gone, everybody's commands fail."""

    now: float = 1_000_000.0
    is_gone: bool = False
    values: dict[str, bytes] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now

    def register_script(self, script: str) -> Any:
        return self.load if script == LOAD else self.save

    def load(self, keys: list[str]) -> tuple[int, int, bytes | None]:
        self.answer()
        return int(self.now), int(self.now % 1 * 1e6), self.values.get(keys[0])

    def save(self, keys: list[str], args: list[Any]) -> int:
        self.answer()
        self.values[keys[0]] = args[1]
        return 1

    def answer(self) -> None:
        if self.is_gone:
            raise RedisConnectionError("gone")


@pytest.fixture(autouse=True)
def _says_nothing_of_redis() -> Iterator[None]:
    with capture_logs():
        yield


@dataclass(slots=True)
class Process:
    """One that keeps to what it is granted; requests are known by when they end."""

    name: str
    limits: SharedLimits
    ends: list[float] = field(default_factory=list)
    places: int = 0


class Sharing(RuleBasedStateMachine):
    """All know how many they are, as those of one machine do, and have met while there was a Redis."""

    @initialize(concurrency=st.integers(PROCESSES, 20))
    def begin(self, concurrency: int) -> None:
        self.concurrency, self.memory, self.started = concurrency, Memory(), 0
        #: What dead processes have left under way.
        self.left: list[float] = []
        self.processes = [self.a_process() for _ in range(PROCESSES)]
        for number in range(PROCESSES):
            self.works(number, 0, 0.01)

    def a_process(self) -> Process:
        self.started += 1
        name, memory = f"process {self.started}", self.memory
        shared = ceilings(concurrency=self.concurrency, requests_per_second=1000, processes=PROCESSES)
        redis: Any = memory
        limits = SharedLimits("http://scores.test", shared, name, redis, RedisState(memory.clock), memory.clock)
        return Process(name, limits)

    def forget_ended(self) -> None:
        for process in self.processes:
            process.ends = [end for end in process.ends if end > self.memory.now]
        self.left = [end for end in self.left if end > self.memory.now]

    @rule(number=NUMBERS, waiting=st.integers(0, 40), seconds=st.floats(0.01, TIMEOUT_SECONDS))
    def works(self, number: int, waiting: int, seconds: float) -> None:
        process = self.processes[number]
        asks: dict[str, Any] = {"in_flight": len(process.ends), "waiting": waiting, "want": waiting}
        grant = process.limits.together(Report(), **asks) or process.limits.alone(Report(), **asks)
        process.places = grant.places
        for _ in range(min(grant.starts, grant.places - len(process.ends))):
            process.ends.append(self.memory.now + seconds)

    @rule(seconds=st.one_of(st.floats(0.01, 0.3), st.floats(0.3, 2 * TIMEOUT_SECONDS)))
    def time_passes(self, seconds: float) -> None:
        self.memory.now += seconds
        self.forget_ended()

    @rule(number=NUMBERS)
    def a_request_ends_early(self, number: int) -> None:
        self.processes[number].ends = self.processes[number].ends[1:]

    @precondition(lambda self: not self.memory.is_gone)
    @rule(number=NUMBERS)
    def dies_and_is_started_again(self, number: int) -> None:
        self.left += self.processes[number].ends
        self.processes[number] = self.a_process()
        self.works(number, 1, 0.01)

    @rule(forgets=st.booleans())
    def redis_goes(self, *, forgets: bool) -> None:
        self.memory.is_gone = True
        if forgets and not self.left:
            self.memory.values.clear()
        for number in range(PROCESSES):
            self.works(number, 0, 0.01)

    @rule(waiting=st.lists(st.integers(0, 20), min_size=PROCESSES, max_size=PROCESSES))
    def redis_comes_back(self, waiting: list[int]) -> None:
        self.memory.is_gone = False
        self.memory.now += PAUSE_SECONDS
        self.forget_ended()
        for number, count in enumerate(waiting):
            self.works(number, count, TIMEOUT_SECONDS)

    @invariant()
    def no_more_requests_are_under_way_than_the_ceiling(self) -> None:
        if hasattr(self, "processes"):
            assert sum(len(process.ends) for process in self.processes) + len(self.left) <= self.concurrency

    def teardown(self) -> None:
        """With a Redis, and once what the dead held has run out, everybody has its share again."""
        if not hasattr(self, "processes"):
            return
        self.memory.is_gone = False
        self.memory.now += SEEN_SECONDS + 1.0
        self.forget_ended()
        for _ in range(3):
            for number in range(PROCESSES):
                self.works(number, 100, 0.01)
            self.time_passes(0.02)
        places = [process.places for process in self.processes]
        assert min(places) >= self.concurrency // PROCESSES


Sharing.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)
TestProcessesThatShareAnEndpoint = Sharing.TestCase
