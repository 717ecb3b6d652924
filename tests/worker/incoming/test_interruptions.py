"""Whatever happens to the stream, to the listener or to the database: every edit is saved, and none twice."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from outbox.database import Database, Engines
from outbox.errors import DatabaseUnavailable
from outbox.mediawiki.schema import revision
from tests.acceptance.commands import write_settings
from tests.acceptance.running import environment
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.wiki_tables import make_tables
from tests.worker.incoming.listeners import IMPATIENT, a_listener, listen, listening, position_of, revisions, until
from tests.worker.incoming.stream_events import a_recent_change, changes
from tests.worker.lines import count
from tests.worker.raw_server import http, raw_server_beside
from worker.config.http_routes import Route
from worker.demo.processes import Processes, kill_group
from worker.domain.errors import CommandFailed

#: Only the thread that reads finds out.
UNUSABLE = Route("socks5://127.0.0.1:1")
SHORT_SILENCE = replace(IMPATIENT, silence=timedelta(milliseconds=500))


@pytest.mark.parametrize("how", ["cut", "cut_within", "close", "error"])
def test_every_edit_is_saved_across_connections_that_end(
    database: Database, event_stream: EmulatedEventStream, how: str
) -> None:
    event_stream.set(interruption={"after_events": 25, "how": how})
    event_stream.send(*changes(100))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=100)

    assert revisions(database) == list(range(1, 101))
    assert run.listened.connections >= 4


def test_events_of_one_millisecond_are_not_jumped_over_by_a_new_connection(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.set(ms_per_event=0, interruption={"after_events": 10, "connections": 2})
    event_stream.send(*changes(50))

    listen(event_stream.stream(), {"enwiki": database}, limit=50)

    assert revisions(database) == list(range(1, 51))


def test_events_of_a_data_centre_that_was_idle_are_not_jumped_over(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    url = event_stream.stream()
    event_stream.send(*changes(3))
    listen(url, {"enwiki": database}, limit=3)

    event_stream.send(*changes(3, first=4), datacentre="codfw")
    event_stream.send(*changes(1, first=7))
    listen(url, {"enwiki": database}, limit=4)

    assert revisions(database) == list(range(1, 8))


def test_ids_of_offsets_serve_as_well(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.set(ids="offset", ms_per_event=0, interruption={"after_events": 10})
    event_stream.send(*changes(50))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=50)

    assert revisions(database) == list(range(1, 51))
    assert run.listened.left_out == {}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_stream_that_refuses_is_asked_again(
    database: Database, event_stream: EmulatedEventStream, status: int
) -> None:
    event_stream.set(failures={"rate": 1, "status": status, "connections": 3})
    event_stream.send(*changes(5))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=5)

    assert revisions(database) == [1, 2, 3, 4, 5]
    assert [each["status"] for each in run.connections(event_stream)] == [status] * 3 + [200]


def test_a_silent_connection_is_given_up_for_another(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.set(interruption={"after_events": 15, "how": "silence", "connections": 2})
    event_stream.send(*changes(30))

    run = listen(event_stream.stream(), {"enwiki": database}, patience=SHORT_SILENCE, limit=30)

    assert revisions(database) == list(range(1, 31))
    # More where the machine was silent for as long.
    assert run.listened.connections >= 3


def test_comments_are_signs_of_life(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.set(heartbeat_seconds=0.01)
    with listening(event_stream.stream(), {"enwiki": database}, patience=SHORT_SILENCE) as run:
        # In twice that silence, on a connection of which the machine let the listener hear.
        until(lambda: max((each["comments"] for each in run.connections(event_stream)), default=0) > 100)


def test_a_stream_that_drips_is_put_together(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.set(drip={"bytes": 7, "ms": 0})
    event_stream.send(*(a_recent_change(number, title=f"Ωμέγα {number}") for number in range(1, 11)))

    listen(event_stream.stream(), {"enwiki": database}, limit=10)

    assert revisions(database) == list(range(1, 11))


def test_garbage_and_giants_hold_up_nobody(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(a_recent_change(1))
    event_stream.send_lines('{"half', "", "[" * 100_000, "\0", '{"$schema": "' + "x" * 5_000_000 + '"}')
    event_stream.send(a_recent_change(2, comment="x" * 5_000_000), a_recent_change(3))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=3)

    assert revisions(database) == [1, 2, 3]
    assert run.listened.left_out == {"not JSON": 3, "not an edit": 1}


def test_what_is_no_stream_is_told_as_trouble(database: Database, event_stream: EmulatedEventStream) -> None:
    with listening(f"{event_stream.url}/_emulator/connections", {"enwiki": database}) as run:
        until(lambda: "text/event-stream" in (run.listened.trouble or ""))


def test_trouble_is_over_with_the_next_event(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.set(failures={"rate": 1})
    with listening(event_stream.stream(), {"enwiki": database}) as run:
        until(lambda: "503" in (run.listened.trouble or ""))
        event_stream.set(failures=None)
        event_stream.send(a_recent_change(1))
        until(lambda: run.saved == 1)
        assert run.listened.trouble is None


@contextmanager
def _own_wiki(directory: Path) -> Iterator[Database]:
    """A wiki on SQLite whose locks are not waited for."""
    directory.mkdir()
    engines = Engines()
    database = engines.open("enwiki", f"sqlite:///{directory}/enwiki.db")
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1"))
    make_tables(database)
    yield database
    engines.close()


def test_edits_wait_for_a_database_that_is_away(tmp_path: Path, event_stream: EmulatedEventStream) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    with _own_wiki(here) as database, listening(event_stream.stream(), {"enwiki": database}) as run:
        event_stream.send(*changes(3))
        until(lambda: run.saved == 3)
        here.rename(elsewhere)
        database.engine.dispose()
        event_stream.send(*changes(3, first=4))
        until(lambda: "can not be opened" in (run.listened.trouble or ""))
        elsewhere.rename(here)
        until(lambda: run.saved == 6)

        assert revisions(database) == [1, 2, 3, 4, 5, 6]
        assert run.listened.left_out == {}


def test_who_listens_apart_for_another_wiki_does_not_wait_for_a_database_that_is_away(
    tmp_path: Path, wikis: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    url, here, elsewhere = event_stream.stream(), tmp_path / "here", tmp_path / "elsewhere"
    with (
        _own_wiki(here) as database,
        listening(url, {"enwiki": database}) as one,
        listening(url, {"frwiki": wikis["frwiki"]}) as other,
    ):
        event_stream.send(*changes(1), *changes(1, wiki="frwiki"))
        until(lambda: one.saved == other.saved == 1)
        here.rename(elsewhere)
        database.engine.dispose()
        event_stream.send(*changes(3, first=2), *changes(3, first=2, wiki="frwiki"))
        until(lambda: other.saved == 4 and one.listened.trouble is not None)
        assert (one.saved, other.listened.trouble) == (1, None)
        elsewhere.rename(here)
        until(lambda: one.saved == 4)


def test_edits_wait_for_a_database_that_somebody_holds(tmp_path: Path, event_stream: EmulatedEventStream) -> None:
    with _own_wiki(tmp_path / "here") as database, listening(event_stream.stream(), {"enwiki": database}) as run:
        event_stream.send(*changes(1))
        until(lambda: run.saved == 1)
        with database.transaction():
            event_stream.send(*changes(3, first=2))
            until(lambda: "locked" in (run.listened.trouble or ""))
        until(lambda: run.saved == 4)

        assert revisions(database) == [1, 2, 3, 4]


def test_who_is_stopped_while_the_database_is_away_says_so(tmp_path: Path, event_stream: EmulatedEventStream) -> None:
    here = tmp_path / "here"
    with (  # noqa: PT012
        _own_wiki(here) as database,
        pytest.raises(DatabaseUnavailable),
        listening(event_stream.stream(), {"enwiki": database}) as run,
    ):
        event_stream.send(*changes(1))
        until(lambda: run.saved == 1)
        here.rename(tmp_path / "elsewhere")
        database.engine.dispose()
        event_stream.send(*changes(1, first=2))
        until(lambda: run.listened.trouble is not None)


def whole_revisions(database: Database) -> list[int]:
    """As `revisions`, once the server has come to the end of what the dead told it last."""
    found: list[int] = []

    def are_whole() -> bool:
        try:
            found[:] = revisions(database)
        except AssertionError:
            return False
        return True

    until(are_whole)
    return found


def test_a_killed_listener_leaves_nothing_half_done_and_the_next_one_goes_on(
    database: Database, event_stream: EmulatedEventStream, tmp_path: Path
) -> None:
    url = event_stream.stream()
    write_settings(tmp_path, database_url=database.url.render_as_string(hide_password=False))
    command = [sys.executable, "-m", "worker.cli", "listen", url, "--since", "2026-01-01"]
    # So that it can't be done before it is killed.
    event_stream.set(interruption={"after_events": 900, "how": "silence"})
    event_stream.send(*changes(1000))
    with Processes(tmp_path) as processes:
        first = processes.start("first", command, environment=environment(tmp_path / "outpatrol.toml"))
        processes.wait_until(first, lambda: count(database, revision) > 0, seconds=PATIENCE_SECONDS)
        kill_group(first)
        first.process.wait()
        assert 0 < len(whole_revisions(database)) < 1000
        assert position_of(database, url) is not None
        event_stream.set(interruption=None)

        event_stream.send(*changes(100, first=1001))
        second = processes.start("second", command, environment=environment(tmp_path / "outpatrol.toml"))
        processes.wait_until(second, lambda: count(database, revision) == 1100, seconds=PATIENCE_SECONDS)
        processes.stop(second)

    assert second.process.returncode == 0, second.end_of_log()
    assert revisions(database) == list(range(1, 1101))
    assert event_stream.connections()[-1]["last_event_id"] is not None


def test_whatever_ends_the_reading_ends_the_listening(database: Database) -> None:
    _, listener = a_listener("http://stream.invalid/v2/stream/recentchange", {"enwiki": database}, route=UNUSABLE)

    with pytest.raises(ImportError, match="SOCKS"):
        listener.listen()


def test_a_stream_is_reached_through_the_proxy(database: Database) -> None:
    with raw_server_beside(lambda _: http(404, b"")) as proxy:
        _, listener = a_listener("http://stream.invalid/v2/stream/x", {"enwiki": database}, route=Route(proxy.url))
        with pytest.raises(CommandFailed, match="404"):
            listener.listen()

    assert [request.target for request in proxy.requests] == ["http://stream.invalid/v2/stream/x"]
