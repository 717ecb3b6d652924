"""Purges of an old version while edits are saved and scored: ours, PurgeScoreCache's, and one statement for all.

Source of the second: mediawiki/extensions/ORES maintenance/PurgeScoreCache.php @ e8804727.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from threading import Event

from pymysql.cursors import Cursor
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from benchmarks.columns import WIKI
from benchmarks.contenders import Tell
from benchmarks.crowded_wiki import ACTORS, MODELS, old_versions
from benchmarks.measuring import Announce
from benchmarks.servers import connect, url_of
from outbox import Edit
from outbox.database import Database
from outbox.mediawiki.reading import newest_revision_in_recent_changes
from outbox.mediawiki.saving import save_edit
from worker.domain.thresholds import DAMAGING, GOODFAITH
from worker.scores.model_versions import StoredModel, current_models
from worker.scores.rows import Classification
from worker.scores.store import store
from worker.upkeep.purging import count_versions, purge_versions

INSERTERS = 4
#: Of all inserters; the largest wiki has some five.
EDITS_PER_SECOND = 200
BATCH_SIZE = 1000
#: The longest wait between two purges, for the server to clean up after the last one.
CLEARED, CLEARING_SECONDS = 1000, 60

#: Removes the rows of a version; yields how many are gone.
Purge = Callable[[Database, StoredModel], Iterator[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds."""

    p50: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How the inserters fared meanwhile, and how fast the purge was."""

    name: str
    seconds: float
    rows: int
    #: Rows that the purge left behind.
    left: int
    edits: int
    #: A transaction that saves an edit, and one that stores its scores.
    saving: Latency
    storing: Latency
    #: Deadlocks as the server counts them, and the inserters' own errors by number: 1213, 1205.
    deadlocks: int
    errors: Mapping[int, int]

    @property
    def is_ok(self) -> bool:
        return not (self.deadlocks or self.errors or self.left)


@dataclass(slots=True)
class Inserters:
    """Threads that save edits at a steady rate and store their scores, as a wiki and its workers do."""

    database: Database
    revisions: Iterator[int]
    pages: int
    models: tuple[int, ...]
    stop: Event = field(default_factory=Event)
    saving: list[float] = field(default_factory=list)
    storing: list[float] = field(default_factory=list)
    errors: Counter[int] = field(default_factory=Counter)

    def insert(self, number: int) -> None:
        """Save edits until stopped, each at its time or at once if that has passed."""
        step = INSERTERS / EDITS_PER_SECOND
        due = time.perf_counter() + step * number / INSERTERS
        # On a busy machine a short phase may be over before any of them had its turn.
        while not self.stop.wait(max(due - time.perf_counter(), 0)) or not self.saving:
            due += step
            edit = self._edit(next(self.revisions))
            self._timed(self.saving, partial(save_edit, edit=edit))
            rows = [Classification(edit.revision, model, 1, 0.1, is_predicted=False) for model in self.models]
            self._timed(self.storing, partial(store, rows=rows))

    def _timed(self, spent: list[float], work: Callable[[Connection], None]) -> None:
        started = time.perf_counter()
        try:
            with self.database.transaction() as session:
                work(session)
        except OperationalError as error:
            # Not repeated, so that each is counted.
            self.errors[error.orig.args[0] if error.orig else 0] += 1
        spent.append(time.perf_counter() - started)

    def _edit(self, revision: int) -> Edit:
        page = 1 + revision % self.pages
        return Edit(
            wiki=WIKI,
            revision=revision,
            parent_revision=revision - 1,
            page=page,
            namespace=0,
            title=f"Page {page}",
            timestamp=datetime.now(UTC),
            user=f"User {1 + revision % ACTORS}",
        )


def ours(database: Database, model: StoredModel) -> Iterator[int]:
    return (step.rows for step in purge_versions(database, [model], BATCH_SIZE))


def theirs(database: Database, model: StoredModel) -> Iterator[int]:
    """The same batches, each statement a transaction, isolated as MariaDB's default and MediaWiki's is."""
    with closing(connect(url_of(database))) as connection, connection.cursor() as cursor:
        while ids := _ids(cursor, model):
            yield cursor.execute(f"DELETE FROM ores_classification WHERE oresc_id IN ({ids})")


def at_once(database: Database, model: StoredModel) -> Iterator[int]:
    with closing(connect(url_of(database))) as connection, connection.cursor() as cursor:
        yield cursor.execute(f"DELETE FROM ores_classification WHERE oresc_model = {model.id}")


PURGES: Mapping[str, Purge] = {"ours": ours, "PurgeScoreCache": theirs, "one DELETE": at_once}


def measure_purges(database: Database, announce: Announce, quiet_seconds: float) -> list[Phase]:
    """Purge the old versions, which have as many rows each; before each purge there are only edits for a while.

    A phase lasts *quiet_seconds* at least.
    """
    versions = old_versions(database)
    phases = []
    for (name, purge), model in zip(PURGES.items(), (versions[model] for model in MODELS), strict=True):
        rows = count_versions(database, [model])[model]
        with closing(connect(url_of(database))) as connection, connection.cursor() as cursor:
            phases.append(_phase(database, cursor, "no purge", lambda: 0, quiet_seconds))
            tell = announce(f"purging: {name}", rows)
            done = partial(_purged, purge, database, model, tell)
            phases.append(_phase(database, cursor, name, done, quiet_seconds, model))
            _wait_until_cleared(cursor)
    return phases


def _phase(
    database: Database,
    cursor: Cursor,
    name: str,
    work: Callable[[], int],
    least_seconds: float,
    purged: StoredModel | None = None,
) -> Phase:
    deadlocks = _status(cursor, "Innodb_deadlocks")
    with _inserting(database) as inserters:
        started = time.perf_counter()
        rows = work()
        seconds = time.perf_counter() - started
        time.sleep(max(least_seconds - seconds, 0))
    return Phase(
        name=name,
        seconds=seconds,
        rows=rows,
        left=count_versions(database, [purged])[purged] if purged else 0,
        edits=len(inserters.saving),
        saving=latency(inserters.saving),
        storing=latency(inserters.storing),
        deadlocks=_status(cursor, "Innodb_deadlocks") - deadlocks,
        errors=inserters.errors,
    )


def _purged(purge: Purge, database: Database, model: StoredModel, tell: Tell) -> int:
    gone = 0
    for rows in purge(database, model):
        gone += rows
        tell(gone)
    return gone


@contextmanager
def _inserting(database: Database) -> Iterator[Inserters]:
    with database.transaction() as session:
        newest = newest_revision_in_recent_changes(session) or 0
        known = current_models(session)
    with closing(connect(url_of(database))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT MAX(page_id) FROM page")
        [(pages,)] = cursor.fetchall()
    inserters = Inserters(database, count(newest + 1), pages, (known[DAMAGING].id, known[GOODFAITH].id))
    with ThreadPoolExecutor(INSERTERS) as threads:
        running: list[Future[None]] = [threads.submit(inserters.insert, number) for number in range(INSERTERS)]
        try:
            yield inserters
        finally:
            inserters.stop.set()
    for each in running:
        each.result()


def latency(seconds: list[float]) -> Latency:
    """The median, the 99th percentile and the longest. Pure."""
    ordered = sorted(seconds)
    median, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return Latency(p50=median, p99=p99, longest=1000 * ordered[-1])


def _ids(cursor: Cursor, model: StoredModel) -> str:
    cursor.execute(f"SELECT oresc_id FROM ores_classification WHERE oresc_model IN ({model.id}) LIMIT {BATCH_SIZE}")
    return ",".join(str(row[0]) for row in cursor.fetchall())


def _status(cursor: Cursor, name: str) -> int:
    cursor.execute(f"SHOW GLOBAL STATUS LIKE '{name}'")
    [(_, value)] = cursor.fetchall()
    return int(value)


def _wait_until_cleared(cursor: Cursor) -> None:
    deadline = time.monotonic() + CLEARING_SECONDS
    while _status(cursor, "Innodb_history_list_length") > CLEARED and time.monotonic() < deadline:
        time.sleep(0.1)
