"""Listening to a stream of edits: every edit is saved once, across interruptions.

Edits and the position in the stream are committed together, so after a crash reading continues where saving stopped.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

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
from worker.incoming.listened import Listened
from worker.incoming.patience import PATIENCE, Patience
from worker.incoming.positions import position
from worker.incoming.reading import Incoming, Reader

#: How many events are saved together at most.
BATCH = 200
#: Seconds after which a wiki without edits saves the position too, so that it does not hold back the next start.
QUIET_SECONDS = 10.0
#: So many other wikis show that a server serves some.
OTHERS_ASKED = 3


@dataclass(frozen=True, slots=True)
class Behind:
    """What one wiki lacks: edits, and all that comes after that event."""

    edits: Sequence[Promised]
    last: str


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
        #: Called with the wiki for which there is work.
        self._saved = saved
        self._kinds = kinds
        self._groups_of = groups_of
        #: Wikis that others listen for; and whether what is of no wiki of ours at all is counted here.
        self._others = frozenset(others)
        self._counts_strangers = counts_strangers
        self._set_apart = set_apart
        #: When the position was last saved on all wikis.
        self._position_saved_at = -math.inf
        #: Whether the stream sent anything that we read.
        self._was_read = False
        self._reader = Reader(url, listened, user_agent=user_agent, patience=patience, route=route)
        self._keeper = Keeper(
            url, patience, rest=self._reader.rest, is_ending=self._reader.is_stopped, trouble=self._set_trouble
        )

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
            ids = self._first_ids(since, is_patient=is_patient)
        else:
            for wiki in self._databases:
                self._keep(wiki, behind.edits, behind.last)
            ids = [behind.last]
        self._reader.start(ids, since)
        heard = self._listened
        try:
            while not self._reader.is_stopped() and (limit is None or heard.edits < limit):
                events = self._reader.next_batch(BATCH if limit is None else min(BATCH, limit - heard.edits))
                if events:
                    self._save(events)
        finally:
            self.stop()

    def stop(self) -> None:
        """Let `listen` return after the present step; may be called in a signal handler."""
        self._reader.stop()

    def _first_ids(self, since: str | None, *, is_patient: bool) -> list[str]:
        """The ids to begin from, those of all wikis; an edit that comes again to a wiki is left out."""

        def saved_position(database: Database) -> str | None:
            with database.reading() as connection:
                return position(connection, self._url)

        known = [
            self._keeper.patiently(database, partial(saved_position, database))
            if is_patient
            else saved_position(database)
            for database in self._databases.values()
        ]
        ids = [event_id for event_id in known if event_id is not None]
        return [] if since and len(ids) < len(known) else ids

    def _save(self, events: Sequence[Incoming]) -> None:
        edits: dict[str, list[Promised]] = {}
        for event in events:
            edit = self._promised_of(event.data)
            if edit is not None:
                edits.setdefault(edit.wiki, []).append(edit)
        last = next((event.id for event in reversed(events) if event.id), None)
        is_time = time.monotonic() > self._position_saved_at + QUIET_SECONDS
        due = {wiki: edits.get(wiki, []) for wiki in self._databases if wiki in edits or is_time}
        # Once around without waiting, so that a wiki whose database refuses comes after all others.
        late = self._late(due, last)
        while late:
            wiki, error = next(iter(late.items()))
            is_left = self._leaves(wiki, due[wiki], last, error, late)
            del late[wiki]
            if not is_left:
                self._keep(wiki, due[wiki], last)
                # What kept the others from being saved may be over, too.
                late = self._late({other: due[other] for other in late}, last)
        if is_time:
            self._position_saved_at = time.monotonic()
        self._reader.are_saved(events)

    def _late(self, due: Mapping[str, Sequence[Promised]], last: str | None) -> dict[str, Exception]:
        """Save what is *due*; returns the wikis whose databases do not let us, and why."""
        return {wiki: error for wiki, ours in due.items() if (error := self._keep_at_once(wiki, ours, last))}

    def _keep_at_once(self, wiki: str, edits: Sequence[Promised], last: str | None) -> Exception | None:
        """Save *edits* and the position; returns why the database does not let us, if somebody else can wait for it."""
        try:
            self._keep(wiki, edits, last, waits=self._set_apart is None or len(self._databases) == 1)
        except NOT_KEPT as error:
            if self._reader.is_stopped():
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

    def _set_trouble(self, trouble: str | None) -> None:
        self._listened.trouble = trouble
