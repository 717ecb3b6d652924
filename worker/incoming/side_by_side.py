"""One listener for each database server, side by side: one that refuses or hangs holds up no wiki on another.

Each has a connection to the stream and a place in it of its own, so nothing has to be kept aside for those that wait.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from outbox.database import Database
from worker.incoming.listened import Listened
from worker.incoming.listening import Listener

#: How often the calling thread looks whether one has ended; signals are handled in between.
LOOK_SECONDS = 0.2

#: Makes the listener for these wikis, which reports to that; the wikis that others listen for are not its own.
MakeListener = Callable[[Mapping[str, Database], Listened, frozenset[str]], Listener]


def by_server(databases: Mapping[str, Database]) -> list[dict[str, Database]]:
    """*databases*, by wiki, in a part for each server; all SQLite files are one, for none of them hangs."""
    parts: dict[str, dict[str, Database]] = {}
    for wiki, database in databases.items():
        parts.setdefault(database.server.group, {})[wiki] = database
    return list(parts.values())


class SideBySide:
    """The listeners for *databases*, by wiki."""

    def __init__(self, databases: Mapping[str, Database], make: MakeListener, *, limit: int | None = None) -> None:
        # Who counts up to a limit has to know of all.
        parts = by_server(databases) if limit is None else [dict(databases)]
        self._limit = limit
        self._listened = [Listened() for _ in parts]
        self._listeners = [
            make(part, listened, frozenset(databases.keys() - part.keys()))
            for part, listened in zip(parts, self._listened, strict=True)
        ]
        self._errors: list[BaseException] = []

    @property
    def listened(self) -> Listened:
        """What became of the events so far, for all of them."""
        return merged(self._listened)

    def listen(self, *, since: str | None = None) -> None:
        """Listen as each of them does, until `stop` is called or one of them ends with an error.

        Raises:
            CommandFailed, OutboxError: as `Listener.listen`; the first that came, after all have ended.
        """
        if len(self._listeners) == 1:
            self._listeners[0].listen(since=since, limit=self._limit)
            return
        threads = [
            threading.Thread(target=self._listen, args=(listener, since), name="listener", daemon=True)
            for listener in self._listeners
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_SECONDS)
        if self._errors:
            raise self._errors[0]

    def stop(self) -> None:
        """Let `listen` return after what each is doing now; may be called in a signal handler."""
        for listener in self._listeners:
            listener.stop()

    def _listen(self, listener: Listener, since: str | None) -> None:
        try:
            listener.listen(since=since, is_patient=True)
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
