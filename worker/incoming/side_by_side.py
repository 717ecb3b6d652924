"""One listener for each database server, side by side: one that refuses or hangs holds up no wiki on another.

A wiki whose database alone refuses gets a listener of its own. Each has a connection to the stream and a place in it of
its own, so nothing has to be kept aside for those that wait.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from outbox.database import Database
from worker.incoming.listened import Listened
from worker.incoming.listening import Behind, Listener, SetApart

#: How often the calling thread looks whether one has ended; signals are handled in between.
LOOK_SECONDS = 0.2
#: Wikis that have listeners of their own at most; each is one more connection to the stream.
MOST_APART = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one of the listeners does."""

    databases: Mapping[str, Database]
    #: What it reports to.
    listened: Listened
    #: Wikis that others listen for.
    others: frozenset[str]
    #: Whether it counts what is of no wiki of ours at all; one of them does.
    counts_strangers: bool
    #: None if it is to wait for its databases itself.
    set_apart: SetApart | None


MakeListener = Callable[[Place], Listener]


def by_server(databases: Mapping[str, Database]) -> list[dict[str, Database]]:
    """*databases*, by wiki, in a part for each server; all SQLite files are one."""
    parts: dict[str, dict[str, Database]] = {}
    for wiki, database in databases.items():
        parts.setdefault(database.server.group, {})[wiki] = database
    return list(parts.values())


class SideBySide:
    """The listeners for *databases*, by wiki."""

    def __init__(self, databases: Mapping[str, Database], make: MakeListener, *, limit: int | None = None) -> None:
        self._databases = databases
        self._make = make
        self._limit = limit
        self._listened: list[Listened] = []
        self._listeners: list[Listener] = []
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._lock = threading.Lock()
        self._is_ending = False
        # Who counts up to a limit has to know of all.
        for part in by_server(databases) if limit is None else [dict(databases)]:
            self._add(part)
        self._places = len(self._listeners) + MOST_APART

    @property
    def listened(self) -> Listened:
        """What became of the events so far, for all of them."""
        return merged(tuple(self._listened))

    def listen(self, *, since: str | None = None) -> None:
        """Listen as each of them does, until `stop` is called or one of them ends with an error.

        Raises:
            CommandFailed, OutboxError: as `Listener.listen`; the first that came, after all have ended.
        """
        try:
            if len(self._listeners) == 1:
                self._listeners[0].listen(since=since, limit=self._limit)
            else:
                for listener in tuple(self._listeners):
                    self._begin(listener, since)
                self._wait()
        finally:
            # For those that listen already where another could not begin.
            self.stop()
            self._wait()
        if self._errors:
            raise self._errors[0]

    def stop(self) -> None:
        """Let `listen` return after what each is doing now; may be called in a signal handler."""
        self._is_ending = True
        for listener in tuple(self._listeners):
            listener.stop()

    def _add(self, part: Mapping[str, Database]) -> Listener:
        place = Place(
            databases=part,
            listened=Listened(),
            others=frozenset(self._databases.keys() - part.keys()),
            counts_strangers=not self._listeners,
            set_apart=self._set_apart if self._limit is None and len(part) > 1 else None,
        )
        listener = self._make(place)
        self._listened.append(place.listened)
        self._listeners.append(listener)
        return listener

    def _set_apart(self, database: Database, behind: Behind) -> bool:
        with self._lock:
            if self._is_ending or len(self._listeners) == self._places:
                return False
            listener = self._add({database.wiki: database})
            self._begin(listener, None, behind)
        if self._is_ending:
            listener.stop()
        return True

    def _begin(self, listener: Listener, since: str | None, behind: Behind | None = None) -> None:
        thread = threading.Thread(target=self._listen, args=(listener, since, behind), name="listener", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wait(self) -> None:
        while alive := [thread for thread in tuple(self._threads) if thread.is_alive()]:
            alive[0].join(LOOK_SECONDS)

    def _listen(self, listener: Listener, since: str | None, behind: Behind | None) -> None:
        try:
            listener.listen(since=since, is_patient=True, behind=behind)
        except BaseException as error:  # noqa: BLE001 - raised where somebody sees it
            self._errors.append(error)
            self.stop()


def merged(several: Sequence[Listened]) -> Listened:
    """What became of the events of all together, while they go on counting."""

    def total(counts: Iterable[Counter[str]]) -> Counter[str]:
        return sum((each.copy() for each in counts), Counter())

    return Listened(
        saved=total(each.saved for each in several),
        promised=total(each.promised for each in several),
        page_changes=total(each.page_changes for each in several),
        left_out=total(each.left_out for each in several),
        connections=sum(each.connections for each in several),
        trouble=next((each.trouble for each in several if each.trouble), None),
    )
