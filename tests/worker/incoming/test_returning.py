"""When a listener returns to a stream that ended or refused: no earlier than it was asked to, and every time logged."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from outbox.database import Database
from tests.worker.incoming.listeners import listen, listening, until
from tests.worker.incoming.stream_events import a_recent_change, line
from tests.worker.raw_server import RawServer, Request, raw_server_beside
from worker.domain.errors import CommandFailed

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EVENT = b"id: []\ndata: " + line(a_recent_change(1)) + b"\n"


def refusal(status: int, retry_after: str | None = None) -> bytes:
    header = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    return f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{header}Connection: close\r\n\r\n".encode()


@contextmanager
def a_stream(*replies: bytes) -> Iterator[tuple[RawServer, list[float]]]:
    """Answers with each of *replies* in turn, and with the last one from then on; notes when it was asked."""
    asked: list[float] = []

    def reply(_: Request) -> bytes:
        asked.append(time.monotonic())
        return replies[min(len(asked), len(replies)) - 1]

    with raw_server_beside(reply) as server:
        yield server, asked


def pauses(database: Database, *replies: bytes, times: int) -> list[float]:
    """The seconds between the first so many connections of a listener that by itself waits 50 ms at most."""
    with a_stream(*replies) as (server, asked), listening(server.url, {"enwiki": database}):
        until(lambda: len(asked) >= times)
    return [later - earlier for earlier, later in pairwise(asked)][: times - 1]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_stream_that_says_when_to_come_back_is_left_alone_until_then(database: Database, status: int) -> None:
    with capture_logs() as logs:
        first, _ = pauses(database, refusal(status, "0.4"), refusal(status), STREAM, times=3)
    _, second, *_ = (each["again_in_seconds"] for each in logs if "again_in_seconds" in each)

    assert first >= 0.4
    # Asked for once; how long it then was, the machine decides.
    assert second < 0.4


def test_the_time_that_a_stream_asks_for_holds_for_all_later_connections(database: Database) -> None:
    first, second = pauses(database, STREAM + b"retry: 400\n\n" + EVENT, STREAM + EVENT, times=3)

    assert min(first, second) >= 0.4


def test_a_refusal_is_an_end_only_before_the_first_success(database: Database) -> None:
    with a_stream(STREAM + EVENT, refusal(404), refusal(403), refusal(400), STREAM + EVENT) as (server, asked):
        with capture_logs() as logs, listening(server.url, {"enwiki": database}) as run:
            until(lambda: len(asked) >= 5 and run.saved == 1)
        assert run.saved == 1
    warned = [each["error"] for each in logs if each["event"] == "stream_interrupted"]
    assert [each.rpartition(" ")[2] for each in warned[:3]] == ["404", "403", "400"]


def test_a_refusal_of_the_first_connection_ends_the_listening(database: Database) -> None:
    with a_stream(refusal(404)) as (server, _), pytest.raises(CommandFailed, match="status 404; correct the name"):
        listen(server.url, {"enwiki": database}, limit=1)


def test_every_return_is_logged_with_the_time_until_then(database: Database) -> None:
    with capture_logs() as logs:
        pauses(database, refusal(503), STREAM, refusal(503), STREAM + EVENT, times=5)

    returns = [(each["event"], each["again_in_seconds"]) for each in logs if "again_in_seconds" in each]
    assert [event for event, _ in returns[:4]] == ["stream_interrupted", "stream_ended"] * 2
    assert all(seconds >= 0 for _, seconds in returns)
