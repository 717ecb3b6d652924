"""A program that asks for hot scores without end, and writes down what it gets: `asker.py NAME DIRECTORY THREADS SEED`.

It is a process as a worker's child is one: one set of services, one client in one event loop. Beside it there are
threads, each with an event loop and several requests of its own at a time. SIGTERM ends it after its last requests.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.acceptance.flights.records import Record, What
from worker.bootstrap import Services, build_services
from worker.config.telemetry import configure_logging
from worker.domain.scores import Answer, Final, Hear, NoAnswer, ScoreId
from worker.settings import load_settings

#: The ids that are hot at the moment, one a line.
HOT = "hot.txt"
REQUESTS_AT_ONCE = 2
MOST_IDS = 3
PAUSE_SECONDS = (0.02, 0.08)
#: A process that is late by so much had no time of the machine, as if it had been stopped.
LATE_SECONDS = 0.25
#: Nobody whose holders die one after the other gives up before the end of a test.
PATIENCE_SECONDS = 30


class StallLog(threading.Thread):
    """Writes down from when to when its process did not run, whatever kept it, a line each."""

    def __init__(self, file: Path) -> None:
        super().__init__(name="pulse", daemon=True)
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(LATE_SECONDS / 5)
            now = time.monotonic()
            if now - last > LATE_SECONDS:
                os.write(self._file, f"{last} {now}\n".encode())
            last = now


class SharedFile:
    """One file for all threads; a line is there once it was written, whatever becomes of the process."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, records: Sequence[Record]) -> None:
        os.write(self._file, "".join(f"{record.encode()}\n" for record in records).encode())


class Asker:
    """One thread's requests."""

    def __init__(self, services: Services, name: str, directory: Path, thread: int, seed: int) -> None:
        self._services = services
        self._loop_of_client = asyncio.get_running_loop()
        self._name = name
        self._hot = directory / HOT
        self._notebook = SharedFile(directory / f"{name}.ndjson")
        self._thread = thread
        self._random = random.Random(f"{seed} {name} {thread}")
        self._numbers = itertools.count(1)

    async def ask_until(self, end: threading.Event) -> None:
        await asyncio.gather(*(self._ask_until(end) for _ in range(REQUESTS_AT_ONCE)))

    async def _ask_until(self, end: threading.Event) -> None:
        while not end.is_set():
            hot = [ScoreId.parse(line) for line in self._hot.read_text().splitlines()]
            ids = self._random.sample(hot, min(len(hot), self._random.randint(1, MOST_IDS)))
            await self._ask(ids, next(self._numbers))
            await asyncio.sleep(self._random.uniform(*PAUSE_SECONDS))

    async def _ask(self, ids: Sequence[ScoreId], request: int) -> None:
        async def call(ours: Sequence[ScoreId], _: Hear) -> dict[ScoreId, Answer]:
            self._tell("calling", request, dict.fromkeys(ours))
            answers: dict[ScoreId, Answer] = dict.fromkeys(ours, NoAnswer("cancelled"))
            try:
                # The client belongs to the event loop it was made in.
                scores = asyncio.run_coroutine_threadsafe(self._services.client.score(ours), self._loop_of_client)
                answers = await asyncio.wrap_future(scores)
                return answers
            finally:
                self._tell("called", request, answers)

        self._tell("asked", request, dict.fromkeys(ids))
        result = await self._services.flights[ids[0].wiki].scores(ids, call, patience=PATIENCE_SECONDS)
        self._tell("answered", request, result.answers)

    def _tell(self, what: What, request: int, answers: Mapping[ScoreId, Answer | None]) -> None:
        now = time.monotonic()
        self._notebook.write(
            [
                Record(
                    what=what,
                    score_id=str(score_id),
                    at=now,
                    process=self._name,
                    thread=self._thread,
                    request=request,
                    body=None if answer is None or isinstance(answer, NoAnswer) else body_of(answer),
                    failure=f"{answer.failure}: {answer.error}" if isinstance(answer, NoAnswer) else None,
                )
                for score_id, answer in answers.items()
            ]
        )


def body_of(answer: Final) -> str:
    """*answer* as text that is the same for the same answer."""
    return json.dumps(answer.model_dump(mode="json"), sort_keys=True)


async def ask(services: Services, name: str, directory: Path, threads: int, seed: int) -> None:
    """Ask in *threads* until SIGTERM."""
    loop, end = asyncio.get_running_loop(), threading.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    askers = [Asker(services, name, directory, thread, seed) for thread in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, asyncio.run, asker.ask_until(end)) for asker in askers))


def main() -> None:
    name, directory, threads, seed = sys.argv[1:]
    configure_logging()
    StallLog(Path(directory) / f"{name}.pulse").start()
    services = build_services(load_settings())
    try:
        services.runner.run(ask(services, name, Path(directory), int(threads), int(seed)))
    finally:
        services.close()


if __name__ == "__main__":
    main()
