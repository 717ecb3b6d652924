"""Wikis on several database servers that listen together: none waits for the server of another."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from outbox.database import Database, Engines
from outbox.errors import DatabaseUnavailable
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.services import create_database, own_mariadb_server
from tests.wiki_tables import make_tables, patient_engines
from tests.worker.incoming.listeners import IMPATIENT, revisions, until
from tests.worker.incoming.stream_events import changes
from worker.demo.processes import free_port
from worker.domain.errors import CommandFailed
from worker.incoming import side_by_side
from worker.incoming.listening import Listener
from worker.incoming.side_by_side import Place, SideBySide

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

    def make(place: Place) -> Listener:
        options: dict[str, Any] = {
            "others": place.others,
            "counts_strangers": place.counts_strangers,
            "set_apart": place.set_apart,
            "patience": IMPATIENT,
        }
        return Listener(stream, place.databases, place.listened, user_agent="-", saved=lambda _: None, **options)

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
    with own_mariadb_server() as (server, process), closing(patient_engines()) as patient:
        url = create_database(server, "hanging")
        there, seen = (each.open("frwiki", url) for each in (engines, patient))
        make_tables(there)
        with listening(event_stream.stream(), {"enwiki": here, "frwiki": there}) as listeners:

            def kept() -> dict[str, int]:
                # One that was saved without an answer in time is found to be there.
                found = listeners.listened
                return {
                    "enwiki": found.saved["enwiki"],
                    "frwiki": found.saved["frwiki"] + found.left_out["saved before"],
                }

            event_stream.send(*changes(1), *changes(1, wiki="frwiki"), *changes(1, wiki="itwiki"))
            until(lambda: kept() == {"enwiki": 1, "frwiki": 1})
            os.kill(process, signal.SIGSTOP)
            try:
                for number in range(2, 6):
                    event_stream.send(*changes(1, first=number, wiki="frwiki"), *changes(1, first=number))
                    until(lambda number=number: listeners.listened.saved["enwiki"] == number)  # type: ignore[misc]
                until(lambda: listeners.listened.trouble is not None)
            finally:
                os.kill(process, signal.SIGCONT)
            until(lambda: kept() == {"enwiki": 5, "frwiki": 5})
            assert listeners.listened.left_out["other wikis"] == 1
        assert revisions(here) == revisions(seen) == [1, 2, 3, 4, 5]


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


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Meanwhile another program holds the file open for writing."""
    holder = sqlite3.connect(str(database.url.database), isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.close()


@pytest.fixture
def files(engines: Engines, here: Database, tmp_path: Path) -> dict[str, Database]:
    """Wikis that one listener serves; enwiki comes last."""
    wikis = {wiki: engines.open(wiki, f"sqlite:///{tmp_path / wiki}.db") for wiki in ("dewiki", "frwiki", "itwiki")}
    for wiki in wikis.values():
        make_tables(wiki)
    return wikis | {"enwiki": here}


def test_a_wiki_whose_database_alone_does_not_answer_holds_up_no_other_and_loses_nothing(
    files: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    with listening(event_stream.stream(), files) as listeners:
        event_stream.send(*(change for wiki in files for change in changes(1, wiki=wiki)), *changes(1, wiki="nlwiki"))
        until(lambda: listeners.listened.edits == 4)
        with locked(files["frwiki"]), locked(files["itwiki"]):
            for number in range(2, 12):
                event_stream.send(*(change for wiki in files for change in changes(1, first=number, wiki=wiki)))
                until(lambda number=number: listeners.listened.saved["enwiki"] == number)  # type: ignore[misc]
            until(lambda: listeners.listened.saved["dewiki"] == 11)
            until(lambda: listeners.listened.trouble is not None)
            assert listeners.listened.saved["frwiki"] == listeners.listened.saved["itwiki"] == 1
        until(lambda: listeners.listened.saved == dict.fromkeys(files, 11))
        until(lambda: listeners.listened.connections == 3)
        assert listeners.listened.left_out["other wikis"] == 1
    assert all(revisions(database) == list(range(1, 12)) for database in files.values())


@contextmanager
def all_locked(
    files: dict[str, Database], event_stream: EmulatedEventStream, *wikis: str
) -> Iterator[tuple[SideBySide, ExitStack]]:
    """Listeners that were served and wait for a database now, since *wikis* have an edit more; the locks end with the
    stack."""
    with listening(event_stream.stream(), files) as listeners, ExitStack() as locks:
        event_stream.send(*changes(1))
        until(lambda: listeners.listened.edits == 1)
        for database in files.values():
            locks.enter_context(locked(database))
        event_stream.send(*(change for wiki in wikis for change in changes(1, first=2, wiki=wiki)))
        until(lambda: listeners.listened.trouble is not None)
        yield listeners, locks


def test_where_no_database_answers_all_are_waited_for_by_one(
    files: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    with all_locked(files, event_stream, *files) as (listeners, locks):
        locks.close()
        until(lambda: listeners.listened.edits == 5)
        assert listeners.listened.connections == 1


def test_a_wiki_whose_trouble_ends_while_another_is_waited_for_is_not_set_apart(
    files: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    with all_locked(files, event_stream, "dewiki", "frwiki") as (listeners, locks):
        locks.close()
        until(lambda: listeners.listened.edits == 3)
        assert listeners.listened.connections == 1


def test_no_more_wikis_than_that_have_listeners_of_their_own(
    files: dict[str, Database], event_stream: EmulatedEventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "MOST_APART", 1)
    with listening(event_stream.stream(), files) as listeners:
        event_stream.send(*changes(1))
        until(lambda: listeners.listened.edits == 1)
        with locked(files["dewiki"]), locked(files["frwiki"]):
            # The locked ones come last: who waits for them reads no further.
            event_stream.send(*(change for wiki in reversed(files) for change in changes(1, first=2, wiki=wiki)))
            until(lambda: listeners.listened.edits == 3)
        until(lambda: listeners.listened.edits == 5)
        until(lambda: listeners.listened.connections == 2)


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True, scope="module")
def test_a_wiki_that_refuses_on_a_server_that_serves_others_holds_up_none_of_them(
    wikis: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    refusing = wikis["enwiki"]
    refusal = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'refused'"
    with listening(event_stream.stream(), wikis) as listeners:
        with refusing.transaction() as connection:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {refusing.schema}.refusing BEFORE INSERT ON {refusing.schema}.outbox "
                f"FOR EACH ROW {refusal}"
            )
        try:
            event_stream.send(*changes(3), *changes(3, wiki="frwiki"))
            until(lambda: "is read-only" in (listeners.listened.trouble or ""))
            event_stream.send(*changes(3, first=4, wiki="frwiki"))
            until(lambda: listeners.listened.saved == {"frwiki": 6})
        finally:
            with refusing.transaction() as connection:
                connection.exec_driver_sql(f"DROP TRIGGER {refusing.schema}.refusing")
        until(lambda: listeners.listened.saved == {"frwiki": 6, "enwiki": 3})
    assert revisions(refusing) == [1, 2, 3]


def test_what_ends_one_ends_all_with_its_sentence(
    engines: Engines, here: Database, event_stream: EmulatedEventStream
) -> None:
    nowhere = engines.open("frwiki", f"mariadb+pymysql://somebody:secret@127.0.0.1:{free_port()}/frwiki")
    both = {"enwiki": here, "frwiki": nowhere}

    with listening(f"{event_stream.url}/nothing", both, ends_with=CommandFailed) as listeners:
        until(lambda: listeners.listened.connections > 0)
        until(lambda: not any(thread.name == "listener" for thread in threading.enumerate()))


class EndlessListener:
    """Listens until it is stopped."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def listen(self, **_: object) -> None:
        assert self._stopped.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        self._stopped.set()


def test_those_that_listen_already_end_where_another_can_not_begin(
    engines: Engines, here: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = engines.open("frwiki", "mariadb+pymysql://nobody@127.0.0.1:1/frwiki")
    begun: list[threading.Thread] = []

    def make(_: Place) -> Any:
        return EndlessListener()

    def only_one(**options: Any) -> threading.Thread:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(threading.Thread(**options))
        return begun[0]

    listeners = SideBySide({"enwiki": here, "frwiki": nowhere}, make)
    monkeypatch.setattr(side_by_side, "threading", SimpleNamespace(Thread=only_one))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        listeners.listen()

    assert not begun[0].is_alive()
