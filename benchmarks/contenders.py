"""The two workers that are compared: each is given edits, told to go, and watched until it is done."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import httpx
import pymysql
from celery import Celery

from benchmarks import baseline
from benchmarks.columns import WIKI, Column
from benchmarks.servers import (
    Servers,
    connect,
    migrated_database,
    start_our_worker,
    start_worker,
    url_of,
    write_settings,
)
from benchmarks.settled import Settled
from outbox import EDITS, Edit, record
from outbox.database import Database
from outbox.inspection import inspect_lane
from tests.patience import PATIENCE_SECONDS
from worker.bootstrap import LANES
from worker.demo.processes import Child, Processes, kill_group
from worker.domain.errors import CommandFailed
from worker.lanes.rings import QUEUE_OF, TURN
from worker.scores.model_versions import model_ids

LOOK_SECONDS = 0.05
#: A run without any progress for so long has failed.
STUCK_SECONDS = PATIENCE_SECONDS
RECORDED_AT_ONCE = 2000

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Times:
    """Moments of one run, in seconds since 1970."""

    started: float
    scored: float
    announced: float


class Contender(Protocol):
    """A running worker and the place where its edits are put."""

    worker: Child
    #: Statements that watching the worker has sent to the database.
    looks: int

    def fill(self, edits: Iterator[Edit], count: int) -> None:
        """Put *count* of *edits* where the worker does not see them yet."""

    def run(self, count: int, tell: Tell) -> Times:
        """Let the worker see them, and wait until all are done; reports the number now and then."""

    def check(self) -> None:
        """Raise CommandFailed if something was lost, however fast the run was."""


@dataclass(slots=True)
class Outpatrol:
    """Our worker, in its defaults."""

    worker: Child
    database: Database
    doorbell: Celery
    events: Path
    looks: int = 0
    recorded: int = 0

    def fill(self, edits: Iterator[Edit], count: int) -> None:
        for done in range(0, count, RECORDED_AT_ONCE):
            some = list(islice(edits, min(RECORDED_AT_ONCE, count - done)))
            with self.database.transaction() as session:
                record(session, *some)
        self.recorded += count

    def run(self, count: int, tell: Tell) -> Times:
        started, settled = time.time(), Settled(self.worker.log)
        self.doorbell.send_task(TURN, args=[WIKI, EDITS.name], queue=QUEUE_OF[TURN], ignore_result=True)

        def announced() -> int:
            settled.look()
            tell((settled.edits + settled.events) // 2)
            return settled.events

        wait_until_done(self.worker, announced, count, state=lambda: (settled.edits, settled.events))
        return Times(started, settled.moments["edits_settled"], settled.moments["events_settled"])

    def check(self) -> None:
        with self.database.reading() as connection:
            left = [inspect_lane(connection, lane) for lane in LANES]
        events = sum(file.read_bytes().count(b"\n") for file in self.events.glob("*.ndjson"))
        if any(lane.pending or lane.dead for lane in left) or events != self.recorded:
            raise CommandFailed(f"{self.recorded} edits but {events} events, and in the lanes {left}")


@dataclass(slots=True)
class Baseline:
    """The worker of `benchmarks.baseline`; an edit counts as announced once the row of its event is committed."""

    worker: Child
    mariadb: "pymysql.Connection[pymysql.cursors.Cursor]"
    app: Celery
    looks: int = 0
    sent: int = 0

    def fill(self, edits: Iterator[Edit], count: int) -> None:
        for edit in islice(edits, count):
            self.app.send_task(baseline.TASK, args=[edit.encode()], queue=baseline.QUEUE, ignore_result=True)
        self.sent += count

    def run(self, count: int, tell: Tell) -> Times:
        before = self._events()
        self.app.control.add_consumer(baseline.QUEUE)

        def announced() -> int:
            done = self._events() - before
            tell(done)
            return done

        wait_until_done(self.worker, announced, count)
        self.app.control.cancel_consumer(baseline.QUEUE, reply=True)
        # About a second passes before the worker looks into the queue; no edit costs that.
        first, last = self._ask("SELECT MIN(recorded_at), MAX(recorded_at) FROM event_outbox WHERE id > %s", before)
        return Times(first.timestamp(), last.timestamp(), last.timestamp())

    def check(self) -> None:
        if (events := self._events()) != self.sent:
            raise CommandFailed(f"{self.sent} tasks but {events} events")

    def _events(self) -> int:
        return int(self._ask("SELECT COUNT(*) FROM event_outbox")[0])

    def _ask(self, query: str, *values: int) -> tuple[Any, ...]:
        self.looks += 1
        with self.mariadb.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchone() or ()


@contextmanager
def outpatrol(servers: Servers, column: Column, directory: Path) -> Iterator[Outpatrol]:
    with migrated_database(servers, "bench_outpatrol") as database, Processes(directory) as processes:
        worker = start_our_worker(processes, write_settings(servers, column, database, directory))
        doorbell = Celery("doorbell", broker=servers.redis_url)
        yield Outpatrol(worker, database, doorbell, directory / "events")
        doorbell.close()
        # All is counted; ending in order would take longer than a small run.
        kill_group(worker)


@contextmanager
def one_task_an_edit(servers: Servers, column: Column, directory: Path) -> Iterator[Baseline]:
    with migrated_database(servers, "bench_baseline") as database, Processes(directory) as processes:
        _learn_versions(servers, column, database)
        configuration = {
            "redis_url": servers.redis_url,
            "database_url": url_of(database),
            "endpoint_url": servers.endpoint.url,
            "column": column.name,
        }
        environment = {baseline.VARIABLE: json.dumps(configuration)}
        worker = start_worker(processes, "benchmarks.baseline", environment, "-Q", baseline.IDLE_QUEUE)
        app = Celery("tasks", broker=servers.redis_url)
        processes.wait_until(worker, lambda: bool(app.control.ping(timeout=0.5)))
        with connect(url_of(database)) as mariadb:
            yield Baseline(worker, mariadb, app)
        app.close()
        kill_group(worker)


def wait_until_done(
    worker: Child, done: Callable[[], int], count: int, *, state: Callable[[], object] | None = None
) -> None:
    """Look until *done* is *count*; *state* changes while there is progress that *done* does not show.

    Raises:
        CommandFailed: the worker ended, or nothing changes any more.
    """
    last: object = None
    since = time.monotonic()
    while (now := done()) < count:
        if worker.process.poll() is not None:
            raise CommandFailed(f"the worker {worker.name} ended; its log ends:\n{worker.end_of_log()}")
        seen = state() if state else now
        if seen != last:
            last, since = seen, time.monotonic()
        if time.monotonic() - since > STUCK_SECONDS:
            raise CommandFailed(f"{worker.name} is stuck at {seen} of {count}; its log ends:\n{worker.end_of_log()}")
        time.sleep(LOOK_SECONDS)


def _learn_versions(servers: Servers, column: Column, database: Database) -> None:
    """Our worker asks for model versions by itself; the baseline finds them in its database."""
    with httpx.Client(base_url=servers.endpoint.url, timeout=PATIENCE_SECONDS) as http:
        seen = [(score.model, score.version) for score in baseline.ask(http, column, 1)]
    database.run(lambda session: model_ids(session, seen, {}))
