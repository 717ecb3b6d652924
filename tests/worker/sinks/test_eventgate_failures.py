"""Where an EventGate takes nothing, or nobody knows what it took, no event is at fault and none counts as delivered."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.eventgate import EmulatedEventGate
from tests.worker.raw_server import http, raw_server_beside
from tests.worker.sinks.posting import a_score, a_sink, identity, scores, sent, sent_to_one_that_says
from worker.config.http_connections import Connections, NoReplyError
from worker.config.http_routes import DIRECT
from worker.demo.processes import free_port
from worker.events.eventgate import LARGEST_REPLY_BYTES, first_cause
from worker.events.sinks import DeliveryFailure, EventRefused, SinkUnavailable

NOT_READ = {"status": 500, "type": "internal_error", "title": "SyntaxError", "detail": "Unexpected token"}


def unavailable(count: int) -> dict[int, type[DeliveryFailure]]:
    return dict.fromkeys(range(count), SinkUnavailable)


def kinds(failures: dict[int, DeliveryFailure]) -> dict[int, type[DeliveryFailure]]:
    return {place: type(failure) for place, failure in failures.items()}


def reasons(failures: dict[int, DeliveryFailure]) -> set[str]:
    return {failure.reason for failure in failures.values()}


@pytest.mark.parametrize(
    ("status", "name"), [(429, "Too Many Requests"), (502, "Bad Gateway"), (503, "Service Unavailable")]
)
def test_an_outage_leaves_all_undelivered_and_says_so(eventgate: EmulatedEventGate, status: int, name: str) -> None:
    eventgate.set(failures={"rate": 1, "status": status})

    failures = sent(eventgate.url, scores(3))

    assert kinds(failures) == unavailable(3)
    assert reasons(failures) == {f"{eventgate.events_url}: status {status}: {name}"}
    assert eventgate.summary()["requests"] == 1


def test_a_500_without_verdicts_is_an_outage() -> None:
    for body in (b"", b"oops", b"[]", b'{"invalid": 5}', b"{}", json.dumps({"title": "Error"}).encode()):
        failures, requests = sent_to_one_that_says(http(500, body), events=scores(2))
        assert kinds(failures) == unavailable(2), body
        assert len(requests) == 1


def test_events_arrive_once_the_outage_is_over(eventgate: EmulatedEventGate) -> None:
    eventgate.set(failures={"rate": 1})
    with a_sink(eventgate.url) as sink:
        sink.send(scores(3))
        eventgate.set(failures=None)

        assert sink.send(scores(3)) == {}

    assert set(eventgate.ids().values()) == {1}


def test_a_hasty_promise_counts_for_nothing() -> None:
    failures, _ = sent_to_one_that_says(http(202, b""), events=scores(2))

    assert kinds(failures) == unavailable(2)


@pytest.mark.parametrize("status", [204, 301, 302, 401, 403, 404, 405, 408, 504, 599])
def test_any_other_status_leaves_all_undelivered(status: int) -> None:
    failures, requests = sent_to_one_that_says(http(status, b""), events=scores(2))

    assert kinds(failures) == unavailable(2)
    assert len(requests) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"invalid": [], "error": []}', b'{"error": [5]}', b"\xff"])
def test_a_partly_accepted_request_with_no_verdicts_to_read_is_not_delivered(body: bytes) -> None:
    failures, _ = sent_to_one_that_says(http(207, body), events=scores(2))

    assert kinds(failures) == unavailable(2)


def test_a_too_large_request_is_halved_until_only_the_event_that_is_too_large_is_refused(
    eventgate: EmulatedEventGate,
) -> None:
    eventgate.set(max_body_size=8000)
    events = [*scores(8), a_score(8, padding=9000), a_score(9)]

    failures = sent(eventgate.url, events)

    said = "status 500: request entity too large"
    assert failures == {8: EventRefused(f"{eventgate.events_url}: {said}")}
    assert eventgate.ids() == {event.id: 1 for event in events if event is not events[8]}


@pytest.mark.parametrize("status", [400, 413])
def test_a_proxy_that_refuses_a_large_request_is_asked_by_halves(status: int) -> None:
    failures, requests = sent_to_one_that_says(http(status, b"<html>"), http(201, b""), events=scores(4))

    assert (failures, requests) == ({}, [[0, 1, 2, 3], [0, 1], [2, 3]])


def test_an_event_that_can_not_be_read_costs_no_other() -> None:
    broken = json.dumps(NOT_READ).encode()
    replies = [http(500, broken), http(201, b""), http(500, broken), http(201, b""), http(500, broken)]

    failures, requests = sent_to_one_that_says(*replies, events=scores(4))

    assert requests == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]
    (refused,) = failures.items()
    assert refused[0] == 3
    assert isinstance(refused[1], EventRefused)
    assert refused[1].reason.endswith("status 500: Unexpected token")


def test_a_body_that_is_no_json_is_refused_alone(eventgate: EmulatedEventGate) -> None:
    damaged = replace(a_score(1), body=a_score(1).body[:-1])

    failures = sent(eventgate.url, [a_score(0), damaged, a_score(2)])

    assert kinds(failures) == {1: EventRefused}
    assert eventgate.ids() == {identity(0): 1, identity(2): 1}


def test_a_connection_closed_before_the_answer_leaves_all_undelivered(eventgate: EmulatedEventGate) -> None:
    eventgate.set(close_before=1)

    assert kinds(sent(eventgate.url, scores(3))) == unavailable(3)
    assert eventgate.ids() == {}


def test_a_connection_closed_in_the_middle_of_the_answer_leaves_all_undelivered(eventgate: EmulatedEventGate) -> None:
    eventgate.set(close_mid_reply=1, refuse={"every_nth": 2})

    failures = sent(eventgate.url, scores(3))

    assert kinds(failures) == unavailable(3)
    assert len(eventgate.ids()) == 2


def test_what_was_taken_before_the_connection_closed_comes_again_with_the_same_id(eventgate: EmulatedEventGate) -> None:
    with a_sink(eventgate.url) as sink:
        eventgate.set(close_mid_reply=1)
        sink.send(scores(3))
        eventgate.set(close_mid_reply=None)
        assert sink.send(scores(3)) == {}

    assert set(eventgate.ids().values()) == {2}
    assert eventgate.summary()["distinct_ids"] == 3


def test_an_answer_that_comes_too_late_leaves_all_undelivered() -> None:
    with raw_server_beside(lambda _request: None) as server:
        failures = sent(server.url, scores(2), timeout_seconds=0.2)

    assert kinds(failures) == unavailable(2)
    assert reasons(failures) == {
        f"{server.url}/v1/events: no whole reply within 0.2 s; start it, or correct sinks.eventgate.url"
    }


@pytest.mark.parametrize(
    ("reply", "says", "cure"),
    [
        (b"", "Server disconnected", "start it"),
        (b"no HTTP at all\r\n\r\n", "this is not HTTP: ", "see who answers there"),
        (http(201, b"short", length=50), "Not enough data to satisfy content length header", "start it"),
        (b"HTTP/1.1 207 -\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk size", "see who answers there"),
    ],
)
def test_an_answer_that_is_no_http_leaves_all_undelivered_and_is_one_line(reply: bytes, says: str, cure: str) -> None:
    failures, _ = sent_to_one_that_says(reply, events=scores(2))

    (reason,) = reasons(failures)
    assert kinds(failures) == unavailable(2)
    assert says in reason
    assert reason.endswith(f"; {cure}, or correct sinks.eventgate.url")
    assert "400" not in reason
    assert reason.isprintable()


def test_an_eventgate_that_was_stopped_is_said_to_be_so_whatever_became_of_its_kept_connection() -> None:
    async def first_of_two(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 -\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def ask_twice() -> BaseException:
        listener = await asyncio.start_server(first_of_two, "127.0.0.1", 0)
        url = "http://{}:{}".format(*listener.sockets[0].getsockname())
        connections = Connections(url, DIRECT.tls(), 1, None)
        await connections.exchange("GET", "/", "Host: a\r\n")
        listener.close()
        try:
            with pytest.raises(NoReplyError) as error:
                await connections.exchange("GET", "/", "Host: a\r\n")
        finally:
            await connections.close()
        return error.value

    assert first_cause(asyncio.run(ask_twice())) == "connection refused"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 413 \xfft\xe9\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 413 " + b"x" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
        http(413, b'{"title": "\\ud800"}'),
        http(
            400,
            json.dumps(
                {"invalid": [{"event": {"meta": {"id": identity(0)}}, "context": {"errorsText": "\ud800"}}]}
            ).encode(),
        ),
        http(
            207,
            json.dumps(
                {"error": [{"event": {"meta": {"id": identity(0)}}, "context": {"message": "\ud800"}}]}
            ).encode(),
        ),
    ],
)
def test_what_is_said_of_an_event_can_be_stored(reply: bytes) -> None:
    failures, _ = sent_to_one_that_says(reply, events=scores(1))

    (reason,) = reasons(failures)
    assert reason.encode()
    assert len(reason) < 700


def test_nobody_there_is_a_sentence_that_names_the_setting() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    failures = sent(url, scores(2))

    said = "connection refused; start it, or correct sinks.eventgate.url"
    assert kinds(failures) == unavailable(2)
    assert reasons(failures) == {f"{url}/v1/events: {said}"}


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (ConnectionResetError(104, "any"), "connection reset by peer"),
        (OSError(113, "Connect call failed"), "no route to host"),
        (socket.gaierror(-2, "Name or service not known"), "[Errno -2] Name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "[SSL: WRONG_VERSION_NUMBER]"),
        (
            ExceptionGroup("of two addresses", [ConnectionRefusedError(111, "one"), OSError(101, "two")]),
            "connection refused",
        ),
        (UnicodeError("label too long"), "label too long"),
    ],
)
def test_what_is_said_of_a_connection_is_the_first_cause(cause: Exception, said: str) -> None:
    error = RuntimeError("All connection attempts failed")
    error.__context__ = cause

    assert said in first_cause(error)


def test_a_reply_that_has_no_end_is_not_read_to_the_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield http(207, b"", length=10**9)
        while True:
            yield b" " * 1_000_000

    with raw_server_beside(lambda _request: endless()) as server:
        (failure,) = sent(server.url, scores(1)).values()

        # More than was read: what the kernel holds between the two depends on how busy it is.
        assert server.sent < 30 * LARGEST_REPLY_BYTES
    assert failure.reason.startswith(f"{server.url}/v1/events: a reply of more than 300")
    assert failure.reason.endswith("see who answers there, or correct sinks.eventgate.url")


def test_closing_twice_does_no_harm(eventgate: EmulatedEventGate) -> None:
    with a_sink(eventgate.url) as sink:
        sink.send(scores(1))
        sink.close()
