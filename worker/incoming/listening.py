"""Listening to a stream of edits over SSE, as EventStreams serves it: every edit is saved once, across interruptions.

Edits and the position in the stream are committed together, so that after a crash reading goes on where saving ended.
"""

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import httpx
from httpx_sse import SSEError, connect_sse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outbox.database import Database
from outbox.edits import Edit
from outbox.errors import DatabaseUnavailable
from outbox.mediawiki import has_revision, save_edit
from worker.errors import CommandFailed
from worker.incoming.edits import AUTOPATROLLED_GROUPS, NotAnEdit, edit_of
from worker.incoming.positions import position, remember, timestamp_of
from worker.telemetry import log

#: Events that are saved together at most, and how long one waits for others.
BATCH = 200
BATCH_SECONDS = 0.5
#: Events that are read ahead of saving; then the stream has to wait.
READ_AHEAD = 2000
#: How often a wiki without edits learns the position, so that it does not hold back the others at the next start.
QUIET_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 60.0
#: Without a word for so long the connection is dead; EventStreams' canaries and comments come more often.
SILENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of the stream."""

    id: str
    data: str


@dataclass(slots=True)
class Listened:
    """What became of the events so far."""

    saved: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    connections: int = 0


class Listener:
    """Saves the edits of *databases* (by wiki) that the stream at *url* tells of; reports to *listened*."""

    def __init__(
        self,
        url: str,
        databases: Mapping[str, Database],
        listened: Listened,
        *,
        user_agent: str,
        saved: Callable[[str], None],
        kinds: Collection[str] = (),
        autopatrolled_groups: Collection[str] = AUTOPATROLLED_GROUPS,
    ) -> None:
        self._url = url
        self._databases = databases
        self._listened = listened
        self._headers = {"User-Agent": user_agent, "Accept": "text/event-stream"}
        #: Called with the wiki for which there is work.
        self._saved = saved
        self._kinds = kinds
        self._groups = autopatrolled_groups
        self._told_at = 0.0
        self._queue: queue.Queue[Incoming | Exception] = queue.Queue(READ_AHEAD)
        self._end = threading.Event()

    def listen(self, *, since: str | None = None, limit: int | None = None) -> None:
        """Listen until `stop` is called or *limit* edits were saved.

        *since* says where to begin if the wikis do not know: a moment as EventStreams takes it; None: now.

        Raises:
            CommandFailed: there is no such stream.
        """
        reader = threading.Thread(target=self._read, args=(self._start(), since), daemon=True)
        reader.start()
        try:
            while not self._end.is_set() and not (limit is not None and self._listened.saved.total() >= limit):
                events = self._next_batch()
                if events:
                    self._save(events)
        finally:
            self.stop()

    def stop(self) -> None:
        """Let `listen` return after what it is doing."""
        self._end.set()

    def _start(self) -> str | None:
        """The position of that wiki which is furthest behind; what the others have already is left out then."""
        known = []
        for database in self._databases.values():
            with database.reading() as connection:
                known.append(position(connection, self._url))
        told = [event_id for event_id in known if event_id is not None]
        return min(told, key=timestamp_of, default=None)

    def _read(self, last: str | None, since: str | None) -> None:
        """Put what the stream tells into the queue, connecting again and again."""
        failures = 0
        while not self._end.is_set():
            headers = self._headers | ({"Last-Event-ID": last} if last else {})
            params = {"since": since} if since and not last else {}
            try:
                self._listened.connections += 1
                with (
                    httpx.Client(timeout=httpx.Timeout(10, read=SILENCE_SECONDS)) as client,
                    connect_sse(client, "GET", self._url, headers=headers, params=params) as source,
                ):
                    status = source.response.status_code
                    if 400 <= status < 500 and status not in {408, 425, 429}:
                        self._put(CommandFailed(f"{self._url}: status {status}; name a stream that is there"))
                        return
                    source.response.raise_for_status()
                    for event in source.iter_sse():
                        if event.event == "error":
                            break
                        failures = 0
                        last = event.id or last
                        if event.data and not self._put(Incoming(event.id, event.data)):
                            return
                log.info("stream_ended", url=self._url)
            except (httpx.HTTPError, SSEError) as error:
                log.warning("stream_interrupted", url=self._url, error=f"{type(error).__name__}: {error}")
            failures += 1
            # Full jitter, so that many listeners do not come back as one.
            self._end.wait(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.5 * 2**failures)))  # noqa: S311

    def _put(self, item: Incoming | Exception) -> bool:
        while not self._end.is_set():
            try:
                self._queue.put(item, timeout=0.5)
            except queue.Full:
                continue
            return True
        return False

    def _next_batch(self) -> list[Incoming]:
        """What has come, after a little while at most."""
        events: list[Incoming] = []
        until = time.monotonic() + BATCH_SECONDS
        while len(events) < BATCH:
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, Exception):
                if events:
                    self._save(events)
                raise item
            events.append(item)
        return events

    def _save(self, events: Sequence[Incoming]) -> None:
        edits: dict[str, list[Edit]] = {}
        for event in events:
            edit = self._edit_of(event.data)
            if edit is not None:
                edits.setdefault(edit.wiki, []).append(edit)
        last = next((event.id for event in reversed(events) if event.id), None)
        is_time = time.monotonic() > self._told_at + QUIET_SECONDS
        for wiki, database in self._databases.items():
            ours = edits.get(wiki, [])
            if ours or is_time:
                self._commit(database, ours, last)
            if ours:
                self._saved(wiki)
        if is_time:
            self._told_at = time.monotonic()

    def _edit_of(self, data: str) -> Edit | None:
        try:
            edit = edit_of(data, autopatrolled_groups=self._groups)
        except NotAnEdit as error:
            self._listened.left_out[error.kind] += 1
            return None
        if edit.wiki not in self._databases:
            self._listened.left_out["other wikis"] += 1
            return None
        if self._kinds and edit.source.value.removeprefix("mw.") not in self._kinds:
            self._listened.left_out["other kinds"] += 1
            return None
        return edit

    def _commit(self, database: Database, edits: Sequence[Edit], last: str | None) -> None:
        """Save *edits* and the position in one transaction; waits for a database that is not there."""
        pause = 0.5
        while True:
            try:
                saved = self._save_on(database, edits, last)
            except DatabaseUnavailable as error:
                log.warning("database_unavailable", wiki=database.wiki, error=str(error))
                if self._end.wait(pause):
                    raise
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
                continue
            self._listened.saved[database.wiki] += saved
            self._listened.left_out["saved before"] += len(edits) - saved
            return

    def _save_on(self, database: Database, edits: Sequence[Edit], last: str | None) -> int:
        try:
            return database.run(partial(_save_all, source=self._url, edits=edits, last=last))
        except IntegrityError:
            # One of them is in the way of others: its page or user was saved at this moment, or its title is taken.
            saved = sum(self._save_alone(database, edit) for edit in edits)
            database.run(partial(_save_all, source=self._url, edits=[], last=last))
            return saved

    def _save_alone(self, database: Database, edit: Edit) -> int:
        try:
            return database.run(partial(_save_all, source=self._url, edits=[edit], last=None))
        except IntegrityError as error:
            log.warning("edit_not_saved", wiki=edit.wiki, revision=edit.revision, error=str(error.orig))
            return 0


def _save_all(session: Session, source: str, edits: Sequence[Edit], last: str | None) -> int:
    saved = 0
    for edit in edits:
        if not has_revision(session, edit.revision):
            save_edit(session, edit)
            saved += 1
    if last is not None:
        remember(session, source, last)
    return saved
