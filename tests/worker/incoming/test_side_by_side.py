"""Wikis on several database servers that listen together: none waits for the server of another."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from outbox.database import Database, Engines
from outbox.errors import DatabaseUnavailable
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.services import create_database, own_mariadb_server
from tests.wiki_tables import make_tables
from tests.worker.incoming.listeners import IMPATIENT, revisions, until
from tests.worker.incoming.stream_events import changes
from worker.demo.processes import free_port
from worker.domain.errors import CommandFailed
from worker.incoming.listened import Listened
from worker.incoming.listening import Listener
from worker.incoming.side_by_side import SideBySide

#: The deadline of a statement.
SECONDS = 0.5


@pytest.fixture
def engines() -> Iterator[Engines]:
    engines = Engines(seconds=SECONDS)
    yield engines
    engines.close()


@pytest.fixture
def here(engines: Engines, tmp_path: Path) -> Database:
    """The database of enwiki, which always serves."""
    database = engines.open("enwiki", f"sqlite:///{tmp_path / 'enwiki.db'}")
    make_tables(database)
    return database


@contextmanager
def listening(
    stream: str, databases: Mapping[str, Database], *, ends_with: type[Exception] | None = None
) -> Iterator[SideBySide]:
    """Listen in a thread while the test goes on, which ends as it should."""

    def make(some: Mapping[str, Database], listened: Listened, others: frozenset[str]) -> Listener:
        options: dict[str, Any] = {"others": others, "counts_strangers": "enwiki" in some, "patience": IMPATIENT}
        return Listener(stream, some, listened, user_agent="listeners", saved=lambda _: None, **options)

    listeners, errors = SideBySide(databases, make), list[BaseException]()

    def listen() -> None:
        try:
            listeners.listen(since="2026-01-01")
        except Exception as error:  # noqa: BLE001 - to be looked at where the test is
            errors.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        with capture_logs():
            yield listeners
    finally:
        listeners.stop()
        thread.join(PATIENCE_SECONDS)
    assert [isinstance(error, ends_with or ()) for error in errors] == [True] * (ends_with is not None)


def test_a_server_that_hangs_holds_up_no_wiki_on_another_and_loses_nothing(
    engines: Engines, here: Database, event_stream: EmulatedEventStream
) -> None:
    with own_mariadb_server() as (url, process):
        there = engines.open("frwiki", create_database(url, "hanging"))
        make_tables(there)
        with listening(event_stream.stream(), {"enwiki": here, "frwiki": there}) as listeners:
            event_stream.send(*changes(1), *changes(1, wiki="frwiki"), *changes(1, wiki="itwiki"))
            until(lambda: listeners.listened.saved == {"enwiki": 1, "frwiki": 1})
            os.kill(process, signal.SIGSTOP)
            try:
                for number in range(2, 6):
                    event_stream.send(*changes(1, first=number, wiki="frwiki"), *changes(1, first=number))
                    until(lambda number=number: listeners.listened.saved["enwiki"] == number)  # type: ignore[misc]
                until(lambda: listeners.listened.trouble is not None)
            finally:
                os.kill(process, signal.SIGCONT)
            until(lambda: listeners.listened.saved == {"enwiki": 5, "frwiki": 5})
            assert listeners.listened.left_out == {"other wikis": 1}
        assert revisions(here) == revisions(there) == [1, 2, 3, 4, 5]


def test_a_server_that_is_not_there_from_the_beginning_holds_up_no_wiki_on_another(
    engines: Engines, here: Database, event_stream: EmulatedEventStream
) -> None:
    nowhere = engines.open("frwiki", f"mariadb+pymysql://somebody:secret@127.0.0.1:{free_port()}/frwiki")

    with listening(
        event_stream.stream(), {"enwiki": here, "frwiki": nowhere}, ends_with=DatabaseUnavailable
    ) as listeners:
        event_stream.send(*changes(3))
        until(lambda: listeners.listened.saved == {"enwiki": 3})
        until(lambda: listeners.listened.trouble is not None)

    assert revisions(here) == [1, 2, 3]


def test_what_ends_one_ends_all_with_its_sentence(
    engines: Engines, here: Database, event_stream: EmulatedEventStream
) -> None:
    nowhere = engines.open("frwiki", f"mariadb+pymysql://somebody:secret@127.0.0.1:{free_port()}/frwiki")
    both = {"enwiki": here, "frwiki": nowhere}

    with listening(f"{event_stream.url}/nothing", both, ends_with=CommandFailed):
        until(lambda: not any(thread.name == "listener" for thread in threading.enumerate()))
