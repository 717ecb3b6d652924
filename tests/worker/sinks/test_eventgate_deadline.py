"""An EventGate has one deadline for a whole request, in whichever part of it the time goes by."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.patience import until
from tests.worker.raw_server import RawReply, Request, http, raw_server_beside
from tests.worker.sinks.posting import a_score, posted, scores, sent
from worker.events.eventgate import EventGateSink
from worker.events.sinks import SinkUnavailable
from worker.lanes.loops import HttpLoop

#: The deadline, the pause between two drops, and far less than the whole reply would take.
SECONDS, PAUSE, BOUND = 0.3, 0.05, 60.0
HEAD = b"HTTP/1.1 207 -\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"


def drops(at_once: bytes, drop: bytes) -> Callable[[Request], RawReply]:
    async def drip() -> AsyncIterator[bytes]:
        yield at_once
        while True:
            await asyncio.sleep(PAUSE)
            yield drop

    return lambda _request: drip()


@pytest.mark.parametrize(
    "reply",
    [
        drops(HEAD, b" "),
        drops(b"HTTP/1.1 201 -\r\n", b"X-More: 1\r\n"),
        drops(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    ],
    ids=["body", "headers", "interim replies"],
)
def test_a_reply_that_comes_in_drops_is_given_up_at_the_deadline(reply: Callable[[Request], RawReply]) -> None:
    with raw_server_beside(reply) as server:
        began = time.monotonic()
        failures = sent(server.url, scores(2), timeout_seconds=SECONDS)

        assert time.monotonic() - began < BOUND
        said = f"{server.url}/v1/events: no whole reply within 0.3 s; start it, or correct sinks.eventgate.url"
        assert failures == dict.fromkeys((0, 1), SinkUnavailable(said))


def test_who_reads_nothing_of_a_large_request_is_given_up_at_the_deadline() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"

        (failure,) = sent(url, [a_score(1, padding=20_000_000)], timeout_seconds=SECONDS).values()

    assert "no whole reply within 0.3 s" in failure.reason


def test_one_that_refuses_slowly_is_not_asked_about_each_event() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.7 * SECONDS)
        yield http(400, b"no")

    with raw_server_beside(lambda _request: slowly()) as server:
        failures = sent(server.url, scores(64), timeout_seconds=SECONDS)

        assert len(posted(server)) <= 3
    assert {type(failure) for failure in failures.values()} == {SinkUnavailable}


def test_a_process_that_ends_waits_for_no_reply_and_counts_nothing_as_delivered() -> None:
    loop = HttpLoop()
    with raw_server_beside(lambda _request: None) as server, ThreadPoolExecutor() as pool:
        sink = EventGateSink(server.url, timeout_seconds=60, batch_size=9, user_agent="a", loop=loop)
        sending = pool.submit(sink.send, scores(1))
        until(lambda: bool(server.requests), "a request", progress=lambda: len(server.requests))
        loop.close()

        (failure,) = sending.result().values()

    assert isinstance(failure, SinkUnavailable)
    assert "the process ends before it replied" in failure.reason


def test_a_name_that_can_not_be_looked_up_is_a_sentence() -> None:
    for host in ("a..b", "☃.org", f"{'x' * 64}.org", "[zz]"):
        (failure,) = sent(f"http://{host}:8192", scores(1)).values()

        assert isinstance(failure, SinkUnavailable), host
        assert failure.reason.endswith("; start it, or correct sinks.eventgate.url"), host
