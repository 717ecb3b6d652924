"""Listening in a thread of the test's own, and what the wikis have of it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Table, select

from outbox import EDITS, Edit
from outbox.database import Database
from outbox.mediawiki import recentchanges, revision
from tests.event_stream import EmulatedEventStream
from worker.incoming.listening import Listened, Listener, Patience
from worker.incoming.positions import position

#: Longer than anything takes on a busy machine.
PATIENCE_SECONDS = 20
IMPATIENT = Patience(
    others=timedelta(milliseconds=20),
    first_pause=timedelta(milliseconds=5),
    longest_pause=timedelta(milliseconds=50),
)


@dataclass(slots=True)
class Ear:
    """A listener at work, and what it reports."""

    #: Of its own, to tell its connections from those of others.
    user_agent: str = field(default_factory=lambda: f"ear {uuid4()}")
    listened: Listened = field(default_factory=Listened)
    rung: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def saved(self) -> int:
        return self.listened.saved.total()

    def connections(self, event_stream: EmulatedEventStream) -> list[dict[str, Any]]:
        """Its connections as the stream saw them."""
        return [each for each in event_stream.connections() if each["user_agent"] == self.user_agent]


def an_ear(url: str, databases: Mapping[str, Database], **options: Any) -> tuple[Ear, Listener]:
    """A listener that does not wait for long."""
    ear = Ear()
    defaults: dict[str, Any] = {"user_agent": ear.user_agent, "saved": ear.rung.append, "patience": IMPATIENT}
    return ear, Listener(url, databases, ear.listened, **(defaults | options))


def hear(
    url: str,
    databases: Mapping[str, Database],
    *,
    since: str | None = "2026-01-01",
    limit: int | None = None,
    **options: Any,
) -> Ear:
    """Listen until so many edits were saved, from the first event that there is."""
    ear, listener = an_ear(url, databases, **options)
    end = threading.Timer(PATIENCE_SECONDS, listener.stop)
    end.start()
    try:
        listener.listen(since=since, limit=limit)
    finally:
        end.cancel()
    assert ear.saved == limit, f"waited in vain: {ear.listened}"
    return ear


@contextmanager
def listening(
    url: str, databases: Mapping[str, Database], *, since: str | None = "2026-01-01", **options: Any
) -> Iterator[Ear]:
    """Listen meanwhile; an error of the listener is raised at the end."""
    ear, listener = an_ear(url, databases, **options)

    def listen() -> None:
        try:
            listener.listen(since=since)
        except Exception as error:  # noqa: BLE001 - to be raised where the test is
            ear.error = error

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield ear
    finally:
        listener.stop()
        thread.join(PATIENCE_SECONDS)
    if ear.error is not None:
        raise ear.error


def until(condition: Callable[[], bool]) -> None:
    """Come back when *condition* holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def column(database: Database, table: Table, name: str) -> list[Any]:
    with database.reading() as connection:
        return sorted(connection.execute(select(table.c[name])).scalars())


def revisions(database: Database) -> list[int]:
    """The revisions the wiki has; as many changes and promises are there, or it fails."""
    found = column(database, revision, "rev_id")
    promised = sorted(Edit.decode(payload).revision for payload in column(database, EDITS.messages, "payload"))
    assert column(database, recentchanges, "rc_this_oldid") == found == promised
    return found


def position_of(database: Database, url: str) -> str | None:
    with database.reading() as connection:
        return position(connection, url)
