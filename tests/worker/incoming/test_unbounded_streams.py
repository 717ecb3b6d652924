"""A stream that sends what has no end, or is packed: told, left, and asked again, in bounded memory."""

import asyncio
import gzip
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from outbox.database import Database
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.worker.incoming.listeners import IMPATIENT, listen, listening, revisions, until
from tests.worker.incoming.stream_events import a_recent_change, changes, line
from tests.worker.incoming.test_returning import EVENT, STREAM
from tests.worker.raw_server import RawReply, Request, raw_server_beside
from worker.incoming.reading import READ_AHEAD_SIZE
from worker.incoming.server_sent_events import LONGEST_EVENT

MEGABYTE = 1_000_000


async def without_an_end() -> AsyncIterator[bytes]:
    """A line of 100 MB in small pieces."""
    yield STREAM + EVENT + b"data: "
    for _ in range(100_000):
        yield b"x" * 1000
        await asyncio.sleep(0)


def test_a_line_without_an_end_takes_no_memory_and_holds_up_no_other_listener(
    database: Database, wikis: dict[str, Database], event_stream: EmulatedEventStream
) -> None:
    replies: list[RawReply] = [without_an_end(), STREAM + EVENT]

    def reply(_: Request) -> RawReply:
        return replies.pop(0) if len(replies) > 1 else replies[0]

    tracemalloc.start()
    try:
        with (
            capture_logs() as logs,
            raw_server_beside(reply) as server,
            listening(server.url, {"enwiki": wikis["enwiki"]}) as run,
            listening(event_stream.stream(), {"frwiki": wikis["frwiki"]}) as other,
        ):
            event_stream.send(*changes(5, wiki="frwiki"))
            until(lambda: other.saved == 5 and len(server.requests) >= 2)
            until(lambda: run.saved == 1)
        _, most = tracemalloc.get_traced_memory()
        assert server.sent < 30 * MEGABYTE
    finally:
        tracemalloc.stop()

    reasons = [each["error"] for each in logs if each["event"] == "stream_interrupted"]
    assert reasons[0] == f"StreamBroken: it sends an event of more than {LONGEST_EVENT} bytes, which can't be right"
    assert most < 6 * LONGEST_EVENT
    assert revisions(wikis["frwiki"]) == [1, 2, 3, 4, 5]


async def in_bytes(begins_with: bytes, *, seconds: float) -> AsyncIterator[bytes]:
    """A stream that goes on with that, then sends a byte now and then for some time, and at last an event."""
    yield STREAM + begins_with
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0.01)
        yield b"x"
    yield b"\n\n" + EVENT


def interruptions(database: Database, *replies: RawReply, events: int) -> list[str]:
    """What broke off the streams with these *replies* until *events* were saved."""
    left, hurried = list(replies), replace(IMPATIENT, event=timedelta(seconds=0.5))
    with capture_logs() as logs, raw_server_beside(lambda _: left.pop(0) if left else STREAM) as server:
        listen(server.url, {"enwiki": database}, limit=events, patience=hurried)
    return [each["error"] for each in logs if each["event"] == "stream_interrupted"]


@pytest.mark.parametrize("begins_with", [b"data: ", b": ", b"id: 1\nx: "], ids=["data", "comment", "id"])
def test_an_event_that_does_not_come_to_its_end_is_told_and_left(database: Database, begins_with: bytes) -> None:
    reasons = interruptions(database, in_bytes(begins_with, seconds=10), STREAM + EVENT, events=1)

    assert "StreamBroken: it has not come to the end of an event within 0.5 s" in reasons


def test_a_stream_that_is_quiet_but_for_comments_is_read_on(database: Database) -> None:
    async def reply() -> AsyncIterator[bytes]:
        yield STREAM
        for _ in range(100):
            await asyncio.sleep(0.01)
            yield b":\n"
        yield EVENT

    assert not interruptions(database, reply(), events=1)


def test_pieces_that_end_within_an_event_are_read_on_while_events_come(database: Database) -> None:
    async def reply() -> AsyncIterator[bytes]:
        yield STREAM
        for number in range(1, 101):
            await asyncio.sleep(0.01)
            # The rest of the event before, and the beginning of this one.
            yield b"data: " + line(a_recent_change(number)).replace(b"\n", b"\n\nid: []\n")
        yield b"\n"

    assert not interruptions(database, reply(), events=100)


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate, gzip"])
def test_a_stream_that_is_packed_is_told_and_asked_again(database: Database, packing: str) -> None:
    head = STREAM.replace(b"\r\n", f"\r\nContent-Encoding: {packing}\r\n".encode(), 1)
    # More than once, for the first connections may be reset before anything of them was read.
    replies = [*[head + gzip.compress(EVENT + b" " * MEGABYTE)] * 3, STREAM + EVENT]

    def reply(_: Request) -> bytes:
        return replies.pop(0) if len(replies) > 1 else replies[0]

    with capture_logs() as logs, raw_server_beside(reply) as server:
        listen(server.url, {"enwiki": database}, limit=1)

    assert {request.headers["accept-encoding"] for request in server.requests} == {"identity"}
    reasons = [each["error"] for each in logs if each["event"] == "stream_interrupted"]
    words = f"it is packed as {packing}, which nobody asked for; let whatever stands before it"
    assert any(words in each for each in reasons)


def test_large_events_are_read_ahead_of_saving_up_to_a_size_only(database: Database) -> None:
    large = b"data: " + b"x" * (LONGEST_EVENT // 2) + b"\n\n"
    is_slow, may_go_on = threading.Event(), threading.Event()

    async def reply() -> AsyncIterator[bytes]:
        yield STREAM + EVENT
        await asyncio.to_thread(is_slow.wait)
        for _ in range(60):
            yield large

    replies = [reply()]

    def saved(_: str) -> None:
        is_slow.set()
        may_go_on.wait(PATIENCE_SECONDS)

    with (
        raw_server_beside(lambda _: replies.pop() if replies else STREAM) as server,
        listening(server.url, {"enwiki": database}, saved=saved) as run,
    ):
        until(lambda: server.sent > READ_AHEAD_SIZE)
        stands = 0
        while stands != (stands := server.sent):
            time.sleep(0.3)
        may_go_on.set()
        assert stands < READ_AHEAD_SIZE + 3 * LONGEST_EVENT
        until(lambda: run.listened.left_out["not JSON"] >= 60)


def test_a_redirect_with_a_body_without_end_is_followed_all_the_same(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(a_recent_change(1))

    async def elsewhere() -> AsyncIterator[bytes]:
        yield f"HTTP/1.1 302 -\r\nLocation: {event_stream.stream()}?since=2026-01-01\r\n\r\n".encode()
        while True:
            yield line(a_recent_change(2))
            await asyncio.sleep(0)

    with raw_server_beside(lambda _: elsewhere()) as server:
        listen(server.url, {"enwiki": database}, limit=1)

    assert revisions(database) == [1]


def test_a_redirect_to_itself_is_an_interruption(database: Database) -> None:
    def again(request: Request) -> bytes:
        return f"HTTP/1.1 302 -\r\nLocation: {request.target}\r\nContent-Length: 0\r\n\r\n".encode()

    with raw_server_beside(again) as server, listening(server.url, {"enwiki": database}) as run:
        until(lambda: "leads on to another address more than 5 times" in (run.listened.trouble or ""))
