"""A turn whose database goes away gives its claims back later, and the server is watched until then."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from outbox import EDITS, Claim
from outbox.database import Database, Engines
from outbox.errors import DatabaseRefuses, DatabaseUnavailable
from outbox.server import Server
from tests.builders import edits
from tests.patience import until
from tests.worker.lines import RecordingBell, consumer_of_edits, save, status
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.demo.processes import free_port
from worker.lanes.consumer import Worked
from worker.lanes.rings import TURN
from worker.lanes.server_watch import ServerWatch


class Interrupted:
    """Serves edits, and finds the database gone in the middle of it."""

    lane = EDITS
    is_ordered = False

    def __init__(self, server: Server) -> None:
        self._server = server

    def needs(self, wiki: Wiki) -> Sequence[str]:
        return ()

    def claim_size(self, wiki: Wiki) -> int:
        return 100

    def nothing_claimed(self) -> None:
        """There is always something."""

    async def work(self, wiki: Wiki, claims: Sequence[Claim]) -> Worked:
        self._server.circuit.opened("the database server is gone; start it")
        raise DatabaseUnavailable("gone")


def test_claims_that_can_not_be_given_back_are_as_soon_as_the_database_is_there(
    services: Services, database: Database
) -> None:
    save(database, edits(5))
    wiki = services.wiki("enwiki")
    server = wiki.database.server
    bell = RecordingBell()
    turns = replace(services.turns, consumers={EDITS.name: Interrupted(server)}, bell=bell)
    with pytest.raises(DatabaseUnavailable):
        turns.take(wiki, EDITS.name)
    assert status(database, EDITS).claimed == 5
    assert turns.unreturned.lanes() == [("enwiki", EDITS.name)]

    assert server.probe()
    working = replace(turns, consumers={EDITS.name: consumer_of_edits(services)})
    working.take(wiki, EDITS.name)

    assert status(database, EDITS).pending == 0
    assert turns.unreturned.lanes() == []


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """Meanwhile the database refuses every change of a message, as a server that became a replica does."""
    sqlite = "BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END"
    mariadb = "FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'read-only'"
    schema = f"{database.schema}." if database.schema else ""

    def run(*statements: str) -> None:
        with database.transaction() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    run(
        *(
            f"CREATE TRIGGER {schema}no_{what} BEFORE {what} ON {schema}outbox {mariadb if schema else sqlite}"
            for what in ("UPDATE", "DELETE")
        )
    )
    try:
        yield
    finally:
        run(*(f"DROP TRIGGER {schema}no_{what}" for what in ("UPDATE", "DELETE")))


def test_claims_that_a_read_only_database_does_not_take_back_are_given_back_once_it_is_not(
    services: Services, database: Database
) -> None:
    save(database, edits(5))
    wiki, bell = services.wiki("enwiki"), RecordingBell()

    class Failing(Interrupted):
        """Finds that nothing can be written any more, not even that its claims are given back."""

        async def work(self, wiki: Wiki, claims: Sequence[Claim]) -> Worked:
            here.enter_context(read_only(database))
            raise DatabaseRefuses("read-only")

    turns = replace(services.turns, consumers={EDITS.name: Failing(wiki.database.server)}, bell=bell)
    working = replace(turns, consumers={EDITS.name: consumer_of_edits(services)})
    with capture_logs() as logs, ExitStack() as here:
        with pytest.raises(DatabaseRefuses):
            turns.take(wiki, EDITS.name)
        working.take(wiki, EDITS.name)
        assert status(database, EDITS).claimed == 5

    # Nobody else rings for messages that are claimed.
    assert bell.rings == [(TURN, "enwiki", EDITS.name)] * 2
    assert ["is read-only" in line["error"] for line in logs if line["event"] == "claims_not_given_back"] == [True]
    working.take(wiki, EDITS.name)
    assert status(database, EDITS).pending == 0
    assert turns.unreturned.lanes() == []


def test_a_server_that_is_back_is_polled_and_lanes_with_claims_left_are_rung_for(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[str, ...]] = []
    monkeypatch.setattr(services.doorbell, "turn", lambda wiki, lane, **_: rung.append((TURN, wiki, lane)))
    monkeypatch.setattr(services.doorbell, "ring", lambda task, name, **_: rung.append((task, name)))
    services.turns.unreturned.add("enwiki", EDITS.name, {})
    services.watch_servers()
    server = services.wiki("enwiki").database.server

    with capture_logs() as logs:
        server.circuit.opened("is gone; start it, or correct wikis.{wiki}.database_url")
        until(lambda: len(rung) == 2, "two rings")

    assert (TURN, "enwiki", EDITS.name) in rung
    assert [task for task, *_ in rung if task != TURN] == ["poll_server"]
    assert [(line["event"], line["server"]) for line in logs] == [
        ("database_gone", server.name),
        ("database_back", server.name),
    ]
    assert "start it" in logs[0]["error"]


def test_a_server_that_stays_away_is_told_once_a_minute_and_asked_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    back: list[Server] = []
    watch = ServerWatch(rest=0.01)
    watch.start(back.append)
    engines = Engines(seconds=1, tell=watch.tell)
    port = free_port()
    database = engines.open("enwiki", f"mariadb+pymysql://outpatrol:hidden-word@127.0.0.1:{port}/enwiki")
    asked: list[bool] = []
    probe = Server.probe

    def noted(server: Server) -> bool:
        asked.append(True)
        return probe(server)

    monkeypatch.setattr(Server, "probe", noted)

    with capture_logs() as logs:
        with pytest.raises(DatabaseUnavailable), database.reading():
            pass
        until(lambda: len(asked) >= 5, "probes")
    watch.close()
    engines.close()

    assert [line["event"] for line in logs] == ["database_gone"]
    assert f"127.0.0.1:{port}" in logs[0]["error"]
    assert "start it" in logs[0]["error"]
    assert "hidden-word" not in str(logs)
    assert back == []


def test_a_server_that_is_gone_again_before_it_is_told_to_be_back_is_watched_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watch = ServerWatch(rest=0.01)
    engines = Engines(tell=watch.tell)
    server = engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db").server
    back: list[bool] = []
    watch.start(lambda server: back.append(not server.circuit.is_open))
    asked: list[bool] = []
    probe = Server.probe

    def gone_again(server: Server) -> bool:
        asked.append(probe(server))
        if len(asked) == 1:
            server.circuit.opened("is gone again; start it")
        return asked[-1]

    monkeypatch.setattr(Server, "probe", gone_again)
    with capture_logs():
        server.circuit.opened("is gone; start it")
        until(lambda: bool(back), "a server that is back")
    watch.close()
    engines.close()

    assert (asked, back) == ([True, True], [True])


def test_a_server_that_is_gone_when_the_process_ends_is_not_told_to_be_back() -> None:
    watch = ServerWatch(rest=30)
    engines = Engines(tell=watch.tell, seconds=1)
    back: list[Server] = []
    watch.start(back.append)
    gone = engines.open("enwiki", f"mariadb+pymysql://nobody@127.0.0.1:{free_port()}/enwiki")
    with capture_logs() as lines:
        with pytest.raises(DatabaseUnavailable), gone.reading():
            pass
        until(lambda: bool(lines), "a line")
        watch.close()
        until(
            lambda: not any(thread.name == "server watch" for thread in threading.enumerate()), "the end of the watch"
        )
    engines.close()

    assert [line["event"] for line in lines] == ["database_gone"]
    assert back == []
