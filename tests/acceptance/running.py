"""A worker with all it needs, as processes of their own, for one test: Redis, scoring endpoint, worker and beat; and
an EventGate where events are to go to one.

Leases, polls and deadlines are short, so that what a fault costs in time is over soon.
"""

import functools
import json
import operator
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery import Celery
from redis import Redis
from sqlalchemy import Select, func, select

from outbox import EDITS, Edit, Lane
from outbox.errors import OutboxError
from outbox.mediawiki.saving import save_edit
from tests.acceptance import spare_endpoints
from tests.endpoint import EmulatedEndpoint
from tests.eventgate import EmulatedEventGate
from tests.patience import PATIENCE_SECONDS, WaitedInVain, until
from tests.wiki_tables import make_tables
from worker.app import configuration
from worker.bootstrap import LANES, Services, build_services
from worker.demo.processes import Child, Processes, answers, free_port, kill_group
from worker.demo.surroundings import redis_command, start_beat, start_worker
from worker.settings import FILE_VARIABLE, Settings
from worker.upkeep.migrating import migrate

EDITS_IN_A_TRANSACTION = 50
#: What all workers here import besides.
SHORT_PAUSES = "tests.acceptance.short_pauses"

SHORT: dict[str, Any] = {
    "poll_seconds": 0.5,
    "worker": {"rest_seconds": 0.05},
    "flight": {"call_seconds": 2, "lease_margin_seconds": 0.5, "patience_seconds": 3},
    "endpoint": {"timeout_seconds": 1.5, "scores_per_request": 10, "requests_per_second": 10_000},
    "outbox": {"lease_seconds": 2, "batch_size": 20},
}


#: Deadlines that hold though the machine has no time for a process for a while: where calls are counted, or each has to
#: be answered. They are for tests in which no call hangs and no caller is killed, for those would be waited for.
PATIENT: dict[str, Any] = {
    "flight": {"call_seconds": 40},
    "endpoint": {"timeout_seconds": 30},
    "redis_timeout_seconds": 30,
}
#: For tests that meet a drain in the middle: one turn at a time in each process, so that most of the edits wait, and
#: deadlines that let no call be given up, and those of the dead be over soon.
SLOWLY: dict[str, Any] = {
    "flight": {"call_seconds": 5},
    "endpoint": {"timeout_seconds": 4.5},
    "worker_settings": {"threads": 4},
}


@dataclass(slots=True)
class Running:
    """What one test has running, and the handles to disturb it."""

    directory: Path
    processes: Processes
    settings: Settings
    redis_port: int
    #: Further options of Redis.
    redis_options: Sequence[str]
    scoring_port: int
    eventgate_port: int
    services: Services
    #: Speaks to the worker as another application would, by the names of its tasks.
    client: Celery
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def endpoint(self) -> EmulatedEndpoint:
        return EmulatedEndpoint(f"http://127.0.0.1:{self.scoring_port}")

    @property
    def eventgate(self) -> EmulatedEventGate:
        return EmulatedEventGate(f"http://127.0.0.1:{self.eventgate_port}")

    @property
    def redis(self) -> Redis:
        return self.services.redis

    @property
    def environment(self) -> dict[str, str]:
        """What makes a child read our settings and no others."""
        return environment(self.directory / "outpatrol.toml")

    def start(self, *, worker: bool, beat: bool) -> None:
        """Start all, of the worker and the beat those that are wanted."""
        self.start_redis()
        for wiki in self.services.wikis.values():
            if wiki.settings.emulated:
                make_tables(wiki.database)
            else:
                migrate(wiki.database)
        if worker:
            self.start_worker()
        if beat:
            self.start_beat()
        if "eventgate" in self.settings.sinks.named:
            self.start_eventgate()

    def start_redis(self) -> None:
        child = self.processes.start(
            "redis", [*redis_command(self.redis_port), *self._options_of_redis()], cwd=self.directory
        )
        self.processes.wait_until(child, lambda: answers(self.redis_port), seconds=PATIENCE_SECONDS)
        self.children["redis"] = child

    def _options_of_redis(self) -> list[str]:
        return [each.replace("{port}", str(self.redis_port)) for each in self.redis_options]

    def start_endpoint(self) -> None:
        self._emulate("endpoint", "scoring", self.scoring_port, "--any-wiki")

    def start_eventgate(self) -> None:
        """What it takes is in `eventgate.ndjson`, too, so that it outlives the process."""
        self._emulate("eventgate", "eventgate", self.eventgate_port, "--file", self.directory / "eventgate.ndjson")

    def _emulate(self, name: str, service: str, port: int, *options: str | Path) -> None:
        command = [sys.executable, "-m", "worker.cli", "emulate", service, "--port", str(port), *options]
        child = self.processes.start(service, command, cwd=self.directory)
        self.processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        self.children[name] = child

    def start_worker(self, *modules: str, count: int | None = None) -> None:
        """Start *count* worker processes, or as many as the settings say, or two; they import these *modules*, too."""
        count = count or self.settings.worker.processes or 2
        options = ("--include", ",".join([SHORT_PAUSES, *modules]))
        worker = start_worker(self.processes, self.directory, *options, count=count, environment=self.environment)
        self.children["worker"] = worker

    def start_beat(self) -> None:
        self.children["beat"] = start_beat(self.processes, self.directory, environment=self.environment)

    def kill(self, name: str) -> None:
        """SIGKILL that process and the children it has."""
        kill_group(self.children[name])
        self.processes.stop(self.children.pop(name))

    def terminate(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Send that process SIGTERM or another signal, and return its exit code once it has ended by itself."""
        child = self.children.pop(name)
        child.process.send_signal(number)
        self.until(lambda: child.process.poll() is not None, f"the end of the {name}")
        self.processes.stop(child)
        return child.process.returncode

    def worker_children(self) -> set[int]:
        """The process ids of the worker's processes, which are the children of who keeps them running."""
        return children_of(self.children["worker"].process.pid)

    def kill_a_worker_child(self) -> int:
        """SIGKILL one child that lives at this moment; returns its process id."""
        self.until(lambda: bool(self.worker_children()), "a child of the worker")
        victim = max(self.worker_children())
        os.kill(victim, signal.SIGKILL)
        # On a busy machine it may live on for a moment, and be taken for another.
        self.until(lambda: not exists(victim), "the end of what was killed")
        return victim

    def save(self, edits: Sequence[Edit], *, ring: bool = True) -> None:
        """Save *edits* on their wikis, many in a transaction, and ring for the workers unless told otherwise."""
        for wiki in sorted({edit.wiki for edit in edits}):
            ours = [edit for edit in edits if edit.wiki == wiki]
            for start in range(0, len(ours), EDITS_IN_A_TRANSACTION):
                some = ours[start : start + EDITS_IN_A_TRANSACTION]
                with self.services.wiki(wiki).database.transaction() as session:
                    for edit in some:
                        save_edit(session, edit)
            if ring:
                self.services.doorbell.turn(wiki, EDITS.name)

    def pending(self, *lanes: Lane) -> int:
        """Promises not yet kept, on all wikis, in *lanes* or in all."""
        pending, counted = 0, _counted(lanes or LANES)
        for wiki in self.services.wikis.values():
            with wiki.database.reading() as connection:
                pending += int(connection.execute(counted).scalar_one())
        return pending

    def logged(self, *events: str, process: str = "worker", since: int = 0) -> list[dict[str, Any]]:
        """The lines in our format that *process* has written wholly, oldest first: of *events*, or of all.

        Leaves out the log's first characters, so many as *since*. A line may come later than what it tells of can be
        seen elsewhere, so wait for it.
        """
        lines = self.children[process].log.read_text()[since:].splitlines()
        documents = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [document for document in documents if not events or document["event"] in events]

    def until_logged(self, *events: str) -> None:
        """Wait until the worker has written a line of each of *events*."""
        wanted = set(events)
        self.until(lambda: wanted <= {line["event"] for line in self.logged()}, f"a line of {', '.join(events)}")

    def until_the_sink_fails(self, sink: str) -> None:
        """Wait until a worker that was started here found that *sink* takes nothing."""
        self.until(
            lambda: any(line["sink"] == sink for line in self.logged("sink_unavailable")),
            f"a failure of the sink {sink}",
        )

    def until_at_most(self, left: int, lane: Lane) -> None:
        """Wait until at most so many promises of *lane* are left."""
        self.until(lambda: self.pending(lane) <= left, f"at most {left} messages in {lane.name}")

    def _has_kept_all(self) -> bool:
        try:
            return self.pending() == 0
        except OutboxError:
            # A database that is just coming back: our own circuit may be open for a moment longer.
            return False

    def until_all_is_kept(self) -> None:
        self.until(self._has_kept_all, "the end of all promises")

    def until(self, condition: Callable[[], bool], what: str, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait for *condition*, doing something *meanwhile*; fails with the worker's last words where nothing moves."""
        try:
            until(condition, what, progress=self._progress, meanwhile=meanwhile)
        except WaitedInVain as error:
            worker = self.children.get("worker")
            raise AssertionError(f"{error}\n{worker.end_of_log(20) if worker else ''}") from error

    def _progress(self) -> object:
        """Changes for as long as promises are kept and askers have answers."""
        notes = [file.stat().st_size for file in sorted(self.directory.glob("*.ndjson"))]
        try:
            return self.pending(), notes
        except OutboxError:
            # Of a server that a test has stopped.
            return notes


@functools.cache
def _counted(lanes: tuple[Lane, ...]) -> "Select[int]":
    """Counts what is in *lanes*, dead letters apart, in one statement: it is asked again and again."""
    tables = [table for lane in lanes for table in (lane.messages, lane.waiting)]
    counts = (select(func.count()).select_from(table).scalar_subquery() for table in tables)
    return select(functools.reduce(operator.add, counts))


def environment(settings_file: Path) -> dict[str, str]:
    """This process' environment with *settings_file* for its only settings."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OUTPATROL_")}
    return ours | {FILE_VARIABLE: str(settings_file)}


@contextmanager
def running(
    directory: Path,
    databases: Mapping[str, str],
    *,
    worker: bool = True,
    beat: bool = True,
    worker_settings: Mapping[str, Any] | None = None,
    redis_through: Callable[[int], int] = int,
    redis_url: str = "redis://127.0.0.1:{port}/0",
    redis_options: Sequence[str] = (),
    base: Mapping[str, Any] = SHORT,
    **changes: Any,
) -> Iterator[Running]:
    """Start everything for the wikis in *databases* (id to URL), with *changes* to the settings.

    What they change is *base*: settings with short deadlines, or none for the defaults.

    Without a change of `sinks` events go to files; an EventGate is started if it is among those named, as
    `sinks={"file": {}, "eventgate": {}}`. Redis is started with *redis_options* and spoken to at *redis_url*, both
    with the port that *redis_through* gives for its own.
    """
    redis_port, eventgate_port = free_port(), free_port()
    endpoint, scoring_port = spare_endpoints.take()
    sinks = {
        "file": {"directory": str(directory / "events")},
        "eventgate": {"url": f"http://127.0.0.1:{eventgate_port}"},
    }
    emulated = {"wikis": {wiki: {"emulated": True} for wiki in databases}}
    document = merged(merged(base, emulated), {"sinks": {"file": {}}, "worker": worker_settings or {}} | changes)
    document = merged(
        document, _addresses(databases, redis_url.replace("{port}", str(redis_through(redis_port))), scoring_port)
    )
    document["sinks"] = {sink: sinks.get(sink, {}) | its for sink, its in document["sinks"].items()}
    (directory / "outpatrol.toml").write_text(toml(document))
    settings = Settings.model_validate(document)
    # Whatever deadline the workers have, this process waits for a busy database.
    services, client = ringing_services(Settings.model_validate(document | {"database": {}}))
    with Processes(directory) as processes:
        here = Running(
            directory, processes, settings, redis_port, redis_options, scoring_port, eventgate_port, services, client
        )
        here.children["endpoint"] = endpoint
        try:
            here.start(worker=worker, beat=beat)
            yield here
        finally:
            client.close()
            services.close()
            # Before Redis and the endpoint: whom they speak to should be there while they end.
            for name in ("beat", "worker"):
                if name in here.children:
                    processes.stop(here.children[name])
            if here.children.get("endpoint") is endpoint:
                spare_endpoints.give_back(endpoint, scoring_port)


def ringing_services(settings: Settings) -> tuple[Services, Celery]:
    """Services that ring for the workers of *settings*, and the client by which they do; the caller closes both."""
    client = Celery("client")
    client.config_from_object(configuration(settings))

    def send(task: str, *arguments: str) -> None:
        client.send_task(task, args=arguments, ignore_result=True, retry=False)

    return build_services(settings, send=send), client


def merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """*document* with *changes*, those of a section setting by setting."""
    result = dict(document)
    for name, change in changes.items():
        result[name] = merged(result.get(name, {}), change) if isinstance(change, Mapping) else change
    return result


def _addresses(databases: Mapping[str, str], redis_url: str, scoring_port: int) -> dict[str, Any]:
    wikis = {
        wiki: {"database_url": url, "domain": f"{wiki[:2]}.wikipedia.org", "language": wiki[:2]}
        for wiki, url in databases.items()
    }
    return {
        "redis_url": redis_url,
        "endpoint": {"url": f"http://127.0.0.1:{scoring_port}"},
        "wikis": wikis,
    }


def toml(document: Mapping[str, Any], table: str = "") -> str:
    """*document* as TOML; texts, numbers and lists are written there as in JSON."""
    values = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not isinstance(value, Mapping)]
    # An empty table says something, too: that there is such a sink.
    text = "\n".join([f"[{table}]" if table and (values or not document) else "", *values, ""])
    for key, value in document.items():
        if isinstance(value, Mapping):
            text += toml(value, f"{table}.{key}" if table else key)
    return text


def exists(pid: int) -> bool:
    """Whether there is a process of that number, other than as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> set[int]:
    """The process ids of the living direct children of process *pid*."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which stands in parentheses and may hold anything.
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if int(parent) == pid and state != "Z":
            found.add(int(status.parent.name))
    return found
