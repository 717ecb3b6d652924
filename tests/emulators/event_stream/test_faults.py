"""What the emulated EventStreams does wrong because it is told to, and its side channel."""

import asyncio
import os
import signal
import socket

import httpx
import pytest
from typer.testing import CliRunner

from tests.emulators.event_stream.asking import STREAM, connections, listening, send, set_to, with_stream
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from worker.cli.main import app
from worker.emulators.event_stream.endpoint import EventStreamSettings, serve


def test_a_connection_is_cut_after_so_many_events() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2, 3)
            assert await connection.numbers(2) == [1, 2]
            with pytest.raises(httpx.RemoteProtocolError):
                await connection.to_the_end()
        assert connection.text == ""

    with_stream(conversation, interruption={"after_events": 2})


def test_a_connection_is_cut_within_an_event() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2)
            assert await connection.numbers(1) == [1]
            with pytest.raises(httpx.RemoteProtocolError):
                await connection.to_the_end()
        assert connection.text.startswith("event: message\nid: [")
        assert "\n\n" not in connection.text

    with_stream(conversation, interruption={"after_events": 1, "how": "cut_within"})


def test_a_connection_is_closed_in_order() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2)
            assert await connection.numbers(1) == [1]
            assert await connection.to_the_end() == ""

    with_stream(conversation, interruption={"after_events": 1, "how": "close"})


def test_a_stream_ends_with_an_error() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2)
            assert await connection.numbers(1) == [1]
            assert (await connection.block()).fields["event"] == "error"
            assert await connection.to_the_end() == ""

    with_stream(conversation, interruption={"after_events": 1, "how": "error"})


def test_a_stream_falls_silent() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2)
            assert await connection.numbers(1) == [1]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await connection.to_the_end()
        assert connection.text == ""

    with_stream(conversation, heartbeat_seconds=0.01, interruption={"after_events": 1, "how": "silence"})


def test_only_the_first_connections_are_interrupted() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1, 2)
        async with listening(client, since="2026-01-01") as connection:
            with pytest.raises(httpx.RemoteProtocolError):
                await connection.to_the_end()
        async with listening(client, since="2026-01-01") as connection:
            assert await connection.numbers(2) == [1, 2]

    with_stream(conversation, interruption={"after_events": 0, "connections": 1})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_first_connections_are_refused(status: int) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        refused = [await client.get(STREAM) for _ in range(2)]
        assert [(reply.status_code, reply.headers["Retry-After"]) for reply in refused] == [(status, "7")] * 2
        async with listening(client):
            pass

    with_stream(conversation, failures={"rate": 1, "status": status, "retry_after": "7", "connections": 2})


def test_a_share_of_the_connections_is_refused_the_same_for_a_seed() -> None:
    statuses: list[list[int]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        # A stream that is not there, so that who is not refused is answered at once.
        statuses.append([(await client.get("/v2/stream/nonsense")).status_code for _ in range(20)])

    for _ in range(2):
        with_stream(conversation, failures={"rate": 0.5})
    assert set(statuses[0]) == {400, 503}
    assert statuses[0] == statuses[1]


def test_everything_drips() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", STREAM) as response:
            parts = response.aiter_raw()
            assert [await anext(parts) for _ in range(5)] == [b":", b"o", b"k", b"\n", b"\n"]

    with_stream(conversation, drip={"bytes": 1, "ms": 5})


def test_lines_are_told_as_they_are() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await client.post("/_emulator/events", json={"lines": ['{"half', "x" * 2_000_000]})
            assert (await connection.block()).fields["data"] == '{"half'
            assert (await connection.block()).fields["data"] == "x" * 2_000_000

    with_stream(conversation)


def test_canaries_come_among_the_events() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2, 3)
            assert await connection.numbers(2) == [1, 2]
            assert '"domain":"canary"' in (await connection.block()).fields["data"]
            assert await connection.numbers(1) == [3]

    with_stream(conversation, canary_every_nth=2)


def test_a_reset_ends_connections_and_forgets_all() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1)
            first = await connection.block()
            assert (await client.delete("/_emulator/events")).status_code == 204
            assert await connection.to_the_end() == ""
        assert await connections(client) == []
        async with listening(client, since="2026-01-01") as connection:
            await send(client, 2)
            assert (await connection.block()).id == first.id

    with_stream(conversation)


@pytest.mark.parametrize(
    "body", ["{", "[]", '{"events": [7]}', '{"stream": "nonsense"}', '{"lines": ["a\\nb"]}', '{"datacentre": "here"}']
)
def test_what_can_not_be_told_is_refused(body: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.post("/_emulator/events", content=body)
        assert reply.status_code == 400
        assert reply.json()["error"]

    with_stream(conversation)


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({"interruption": {"how": "gently"}}, "interruption.how"),
        ({"failures": {"connections": -1}}, "failures.connections"),
        ({"drip": {"bytes": -1}}, "drip.bytes"),
        ({"ids": "letters"}, "ids"),
        ({"canary_every_nth": 0}, "canary_every_nth"),
        ({"heartbeat_seconds": 0}, "heartbeat_seconds"),
    ],
)
def test_a_wrong_setting_is_named(patch: dict[str, object], named: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.patch("/_emulator/settings", json=patch)
        assert (reply.status_code, named in reply.json()["error"]) == (400, True)

    with_stream(conversation)


def test_connections_are_counted_anew_with_each_change_of_the_settings() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(2):
            await client.patch("/_emulator/settings", json={"failures": {"rate": 1, "connections": 1}})
            assert (await client.get(STREAM)).status_code == 503

    with_stream(conversation)


def test_the_port_is_told_and_a_signal_ends_it_with_connections_open() -> None:
    ports: list[int] = []
    clients: list[socket.socket] = []

    def ready(port: int) -> None:
        ports.append(port)
        clients.append(socket.create_connection(("127.0.0.1", port)))
        clients[0].sendall(b"GET /v2/stream/recentchange HTTP/1.1\r\nHost: x\r\n\r\n")
        os.kill(os.getpid(), signal.SIGTERM)

    serve(settings=set_to(), ready=ready)

    clients[0].close()
    assert ports[0] > 0


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(app, ["emulate", "stream", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "can't listen on 127.0.0.1" in result.stderr


def test_it_runs_as_a_process_of_its_own(event_stream: EmulatedEventStream) -> None:
    reply = httpx.get(f"{event_stream.url}/_emulator/settings", timeout=PATIENCE_SECONDS)

    assert EventStreamSettings.model_validate(reply.json()) == EventStreamSettings()
