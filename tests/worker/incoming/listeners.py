"""Listeners that run until enough edits are saved or in a thread of their own, and what the wikis then hold."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Table, select

from outbox import EDITS, Edit
from outbox.database import Database
from outbox.mediawiki.schema import recentchanges, revision
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.patience import until as wait_until
from worker.incoming.listened import Listened
from worker.incoming.listening import Listener
from worker.incoming.patience import Patience
from worker.incoming.positions import position

#: Longer than anything takes on a busy machine.
IMPATIENT = Patience(
    others=timedelta(milliseconds=20),
    first_pause=timedelta(milliseconds=5),
    longest_pause=timedelta(milliseconds=50),
)


@dataclass(slots=True)
class ListenerRun:
    """What one run of a listener reports."""

    #: Unique, so that its connections can be told from those of other listeners.
    user_agent: str = field(default_factory=lambda: f"listener {uuid4()}")
    listened: Listened = field(default_factory=Listened)
    #: The wikis that the doorbell was rung for.
    rung: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def saved(self) -> int:
        return self.listened.saved.total()

    @property
    def kept(self) -> int:
        """Edits that were saved, or promised where the wiki is not emulated."""
        return self.listened.edits

    def connections(self, event_stream: EmulatedEventStream) -> list[dict[str, Any]]:
        """Its connections as the stream saw them."""
        return [each for each in event_stream.connections() if each["user_agent"] == self.user_agent]


def a_listener(url: str, databases: Mapping[str, Database], **options: Any) -> tuple[ListenerRun, Listener]:
    """A listener that does not wait for long."""
    run = ListenerRun()
    defaults: dict[str, Any] = {"user_agent": run.user_agent, "saved": run.rung.append, "patience": IMPATIENT}
    return run, Listener(url, databases, run.listened, **(defaults | options))


def listen(
    url: str,
    databases: Mapping[str, Database],
    *,
    since: str | None = "2026-01-01",
    limit: int | None = None,
    **options: Any,
) -> ListenerRun:
    """Listen until *limit* edits are saved, beginning with the first event of the stream."""
    run, listener = a_listener(url, databases, **options)
    end = threading.Timer(PATIENCE_SECONDS, listener.stop)
    end.start()
    try:
        listener.listen(since=since, limit=limit)
    finally:
        end.cancel()
    assert run.kept == limit, f"waited in vain: {run.listened}"
    return run


@contextmanager
def listening(
    url: str, databases: Mapping[str, Database], *, since: str | None = "2026-01-01", **options: Any
) -> Iterator[ListenerRun]:
    """Listen in a thread while the test goes on; an error of the listener is raised at the end."""
    run, listener = a_listener(url, databases, **options)

    def listen() -> None:
        try:
            listener.listen(since=since)
        except Exception as error:  # noqa: BLE001 - to be raised where the test is
            run.error = error

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield run
    finally:
        listener.stop()
        thread.join(PATIENCE_SECONDS)
    if run.error is not None:
        raise run.error


def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    wait_until(condition, "what a listener should do")


def column(database: Database, table: Table, name: str) -> list[Any]:
    with database.reading() as connection:
        return sorted(connection.execute(select(table.c[name])).scalars())


def revisions(database: Database) -> list[int]:
    """The revisions that the wiki has; fails unless each has its recent change and its message."""
    found = column(database, revision, "rev_id")
    promised = sorted(Edit.decode(payload).revision for payload in column(database, EDITS.messages, "payload"))
    assert column(database, recentchanges, "rc_this_oldid") == found == promised
    return found


def position_of(database: Database, url: str) -> str | None:
    with database.reading() as connection:
        return position(connection, url)
