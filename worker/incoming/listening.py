"""Listening to a stream of edits over SSE, as EventStreams serves it: every edit is saved once, across interruptions.

Edits and the position in the stream are committed together, so after a crash reading continues where saving stopped.
"""

import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import httpx

from outbox.database import Database
from outbox.edits import Edit
from outbox.page_changes import Promised
from outbox.server_errors import sentence_of
from worker.config.autopatrolled_groups import usual_groups
from worker.config.http_routes import DIRECT, Route
from worker.config.telemetry import log
from worker.domain.errors import CommandFailed
from worker.incoming.edits import GroupsOf, NotAnEdit, OtherStream, promised_of
from worker.incoming.keeping import NOT_KEPT, Keeper
from worker.incoming.patience import PATIENCE, Patience, asked_seconds
from worker.incoming.positions import position, resume_from
from worker.incoming.server_sent_events import EventStream, ServerSentEvent, StreamBroken

#: How many events are saved together at most.
BATCH = 200
#: How many events are read ahead of saving at most; then the stream has to wait.
READ_AHEAD = 2000
#: How many characters of them at most, since events may be large.
READ_AHEAD_SIZE = 32_000_000
#: How many redirects a stream may send in a row.
MOST_REDIRECTS = 5
#: Seconds after which a wiki without edits saves the position too, so that it does not hold back the next start.
QUIET_SECONDS = 10.0
#: So many other wikis show that a server serves some.
OTHERS_ASKED = 3
#: Name of the thread that reads; it ends when the stream next sends something.
READER = "stream-reader"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of the stream."""

    id: str
    data: str


@dataclass(frozen=True, slots=True)
class Behind:
    """What one wiki lacks: edits, and all that comes after that event."""

    edits: Sequence[Promised]
    last: str


@dataclass(slots=True)
class Listened:
    """What became of the events so far."""

    saved: Counter[str] = field(default_factory=Counter)
    #: Edits that were only promised, on wikis that are not emulated.
    promised: Counter[str] = field(default_factory=Counter)
    #: Deletes, moves and the like; promised, and on emulated wikis also done.
    page_changes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    #: What prevents reading or saving at this moment; None if nothing does.
    trouble: str | None = None

    @property
    def edits(self) -> int:
        return self.saved.total() + self.promised.total()


#: Lets another listener serve that database from now on; false if there can't be one.
SetApart = Callable[[Database, Behind], bool]


class Listener:
    """Keeps the edits that the stream at *url* sends for *databases* (by wiki), and reports to *listened*."""

    def __init__(
        self,
        url: str,
        databases: Mapping[str, Database],
        listened: Listened,
        *,
        user_agent: str,
        saved: Callable[[str], None],
        kinds: Collection[str] = (),
        groups_of: GroupsOf = usual_groups,
        patience: Patience = PATIENCE,
        route: Route = DIRECT,
        others: Collection[str] = (),
        counts_strangers: bool = True,
        set_apart: SetApart | None = None,
    ) -> None:
        self._url = url
        self._databases = databases
        self._listened = listened
        self._user_agent = user_agent
        #: Called with the wiki for which there is work.
        self._saved = saved
        self._kinds = kinds
        self._groups_of = groups_of
        self._patience = patience
        #: Wikis that others listen for; and whether what is of no wiki of ours at all is counted here.
        self._others = frozenset(others)
        self._counts_strangers = counts_strangers
        self._set_apart = set_apart
        self._proxy, self._tls = route.proxy, route.tls()
        self._told_at = -math.inf
        #: The ids to continue from (that of the last event, once there was one), and how often in a row none came
        #: since.
        self._last: list[str] = []
        self._failures = 0
        #: Seconds before the next connection that the stream asked for: for once, and from then on.
        self._retry_after = self._retry = 0.0
        #: Whether the stream was ever there, which shows that its name is right; whether it sent anything that we read.
        self._was_served = self._was_read = False
        self._queue: queue.Queue[Incoming | BaseException] = queue.Queue(READ_AHEAD)
        #: Characters of all events put into the queue, and of those that were saved; each is written by one thread.
        self._put_size = self._saved_size = 0
        self._end = threading.Event()
        self._keeper = Keeper(url, patience, rest=self._rest, is_ending=self._end.is_set, trouble=self._told_trouble)

    def listen(
        self,
        *,
        since: str | None = None,
        limit: int | None = None,
        is_patient: bool = False,
        behind: Behind | None = None,
    ) -> None:
        """Listen until `stop` is called or *limit* edits are saved, or promised where the wiki is not emulated.

        *since* is where to begin if a wiki has no position yet: a time as EventStreams takes it. None means where the
        other wikis are, or now. Who *is patient* waits for a database from the beginning. With *behind*, the only wiki
        has all but that.

        Raises:
            CommandFailed: there is no such stream, or it is one that is not read.
            OutboxError: a database lacks our tables, or can't be reached at the beginning or the end.
        """
        if behind is None:
            self._last = self._start(since, is_patient=is_patient)
        else:
            for database in self._databases.values():
                self._commit(database, behind.edits, behind.last)
            self._last = [behind.last]
        threading.Thread(target=self._read_or_tell, args=(since,), name=READER, daemon=True).start()
        heard = self._listened
        try:
            while not self._end.is_set() and (limit is None or heard.edits < limit):
                events = self._next_batch(BATCH if limit is None else min(BATCH, limit - heard.edits))
                if events:
                    self._save(events)
        finally:
            self.stop()

    def stop(self) -> None:
        """Let `listen` return after the present step; may be called in a signal handler."""
        self._end.set()

    def _start(self, since: str | None, *, is_patient: bool) -> list[str]:
        """The ids to begin from, those of all wikis; an edit that comes again to a wiki is left out."""

        def told(database: Database) -> str | None:
            with database.reading() as connection:
                return position(connection, self._url)

        known = [
            self._keeper.patiently(database, partial(told, database)) if is_patient else told(database)
            for database in self._databases.values()
        ]
        ids = [event_id for event_id in known if event_id is not None]
        return [] if since and len(ids) < len(known) else ids

    def _read_or_tell(self, since: str | None) -> None:
        """Read until asked to stop; an error is put into the queue, where it ends the listening."""
        try:
            self._read(since)
        except BaseException as error:  # noqa: BLE001 - nobody would read any more, and nobody would know
            self._put(error)

    def _read(self, since: str | None) -> None:
        """Put the stream's events into the queue, reconnecting whenever the connection ends."""
        timeout = httpx.Timeout(10, read=self._patience.silence.total_seconds())
        with httpx.Client(timeout=timeout, trust_env=False, proxy=self._proxy, verify=self._tls) as client:
            while not self._end.is_set():
                try:
                    self._read_connection(client, since)
                    pause = self._next_pause("the stream ended")
                    log.info("stream_ended", url=self._url, again_in_seconds=round(pause, 1))
                except (httpx.HTTPError, StreamBroken) as error:
                    trouble = f"{type(error).__name__}: {error}"
                    pause = self._next_pause(trouble)
                    log.warning("stream_interrupted", url=self._url, error=trouble, again_in_seconds=round(pause, 1))
                self._rest(pause)

    def _next_pause(self, trouble: str) -> float:
        """Seconds until the next connection, since *trouble* ended this one."""
        self._failures += 1
        self._listened.trouble = trouble
        pause = self._patience.pause(self._failures, max(self._retry_after, self._retry))
        self._retry_after = 0.0
        return pause

    def _read_connection(self, client: httpx.Client, since: str | None) -> None:
        url = httpx.URL(self._url)
        headers = httpx.Headers(
            {
                "User-Agent": self._user_agent,
                "Accept": "text/event-stream",
                "Cache-Control": "no-store",
                # A packed stream can grow without bound, and its events may wait in the packer for later ones.
                "Accept-Encoding": "identity",
            }
        )
        if self._last:
            headers.update([(b"Last-Event-ID", resume_from(self._last).encode())])
        elif since:
            url = url.copy_merge_params({"since": since})
        self._listened.connections += 1
        with _connected(client, str(url), headers) as response:
            self._must_serve(response)
            events = EventStream()
            for chunk in response.iter_raw():
                for event in events.take(chunk):
                    if not self._heard(event):
                        return

    def _heard(self, event: ServerSentEvent) -> bool:
        """Whether further events can be used."""
        if event.retry is not None:
            self._retry = event.retry / 1000
        if event.event == "error":
            raise StreamBroken(f"the stream reports {event.data[:200]}")
        self._failures, self._listened.trouble = 0, None
        self._last = [event.id] if event.id else self._last
        return not event.data or self._put(Incoming(event.id, event.data))

    def _must_serve(self, response: httpx.Response) -> None:
        """
        Raises:
            CommandFailed: there is no such stream, and never was.
            StreamBroken: it refuses this time, or what it sends is no stream.
        """
        status = response.status_code
        if 400 <= status < 500 and status not in {408, 425, 429} and not self._was_served:
            raise CommandFailed(
                f"{response.url} answers with status {status}; correct the name of the stream, or --since"
            )
        if status != 200:
            self._retry_after = asked_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            raise StreamBroken(f"the stream answers with status {status}")
        if (kind := response.headers.get("Content-Type", "").partition(";")[0].strip()) != "text/event-stream":
            raise StreamBroken(f"it answers with {kind or 'no Content-Type'} in place of text/event-stream")
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in {"", "identity"}:
            raise StreamBroken(
                f"it is packed as {packing}, which nobody asked for; let whatever stands before it pass it on as it is"
            )
        self._was_served = True

    def _put(self, item: Incoming | BaseException) -> bool:
        size = len(item.data) if isinstance(item, Incoming) else 0
        while not self._end.is_set():
            if size and self._put_size - self._saved_size > READ_AHEAD_SIZE:
                self._end.wait(0.05)
                continue
            try:
                self._queue.put(item, timeout=0.5)
            except queue.Full:
                continue
            self._put_size += size
            return True
        return False

    def _rest(self, seconds: float) -> None:
        """Wait, but only until `stop` is called; takes no lock that a signal handler in this thread would wait for."""
        until = time.monotonic() + seconds
        while not self._end.is_set() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _next_batch(self, most: int) -> list[Incoming]:
        """The events that have come, after a short wait at most."""
        events: list[Incoming] = []
        until = time.monotonic() + self._patience.others.total_seconds()
        while len(events) < most:
            try:
                item = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, BaseException):
                if events:
                    self._save(events)
                raise item
            events.append(item)
        return events

    def _save(self, events: Sequence[Incoming]) -> None:
        edits: dict[str, list[Promised]] = {}
        for event in events:
            edit = self._promised_of(event.data)
            if edit is not None:
                edits.setdefault(edit.wiki, []).append(edit)
        last = next((event.id for event in reversed(events) if event.id), None)
        is_time = time.monotonic() > self._told_at + QUIET_SECONDS
        due = {wiki: edits.get(wiki, []) for wiki in self._databases if wiki in edits or is_time}
        # Once around without waiting, so that a wiki whose database refuses comes after all others.
        late = {wiki: error for wiki, ours in due.items() if (error := self._keep_at_once(wiki, ours, last))}
        for wiki, error in late.items():
            if not self._leaves(wiki, due[wiki], last, error, late):
                self._keep(wiki, due[wiki], last)
        if is_time:
            self._told_at = time.monotonic()
        self._saved_size += sum(len(event.data) for event in events)

    def _keep_at_once(self, wiki: str, edits: Sequence[Promised], last: str | None) -> Exception | None:
        """Save *edits* and the position; returns why the database does not let us, if somebody else can wait for it."""
        try:
            self._keep(wiki, edits, last, waits=self._set_apart is None or len(self._databases) == 1)
        except NOT_KEPT as error:
            if self._end.is_set():
                raise
            return error
        return None

    def _leaves(
        self, wiki: str, edits: Sequence[Promised], last: str | None, error: Exception, late: Collection[str]
    ) -> bool:
        """Leave *wiki* to a listener of its own, which waits for its database, if others than those *late* are served.

        If nobody is, it is their server that is away, and one of them is as good to wait for as the other.
        """
        others = [other for other in self._databases if other not in late]
        is_alone = any(self._keep_at_once(other, [], last) is None for other in others[:OTHERS_ASKED])
        if not (is_alone and last and self._set_apart and self._set_apart(self._databases[wiki], Behind(edits, last))):
            return False
        self._databases = {other: database for other, database in self._databases.items() if other != wiki}
        self._others |= {wiki}
        log.warning("wiki_set_apart", wiki=wiki, error=sentence_of(error) or str(error))
        return True

    def _keep(self, wiki: str, edits: Sequence[Promised], last: str | None, *, waits: bool = True) -> None:
        if self._commit(self._databases[wiki], edits, last, waits=waits):
            self._saved(wiki)

    def _promised_of(self, data: str) -> Promised | None:
        try:
            edit = promised_of(data, groups_of=self._groups_of)
            self._was_read = True
        except NotAnEdit as error:
            if isinstance(error, OtherStream) and not self._was_read:
                raise CommandFailed(f"{self._url} sends {error}") from error
            self._listened.left_out[error.kind] += self._counts_strangers
            return None
        if edit.wiki not in self._databases:
            self._listened.left_out["other wikis"] += self._counts_strangers and edit.wiki not in self._others
            return None
        if isinstance(edit, Edit) and self._kinds and edit.source.value.removeprefix("mw.") not in self._kinds:
            self._listened.left_out["other kinds"] += 1
            return None
        return edit

    def _commit(self, database: Database, edits: Sequence[Promised], last: str | None, *, waits: bool = True) -> int:
        """Save *edits* and the position; returns how many are new."""
        fates = self._keeper.keep(database, edits, last, waits=waits)
        saved, promised, changes = (fates.pop(fate, 0) for fate in ("saved", "promised", "page changes"))
        if saved:
            self._listened.saved[database.wiki] += saved
        if promised:
            self._listened.promised[database.wiki] += promised
        if changes:
            self._listened.page_changes[database.wiki] += changes
        self._listened.left_out.update(fates)
        return saved + promised + changes

    def _told_trouble(self, trouble: str | None) -> None:
        self._listened.trouble = trouble


@contextmanager
def _connected(client: httpx.Client, url: str, headers: httpx.Headers) -> Iterator[httpx.Response]:
    """The reply of the address to which *url* leads; redirects are followed here, since httpx reads their bodies."""
    for _ in range(MOST_REDIRECTS + 1):
        with client.stream("GET", url, headers=headers) as response:
            if response.next_request is None:
                yield response
                return
            url = str(response.next_request.url)
    raise StreamBroken(f"it leads on to another address more than {MOST_REDIRECTS} times; listen to the last one")
