"""Who asks for JSON gets lines of it, as from the original, and nothing that belongs to SSE."""

import httpx
import pytest

from tests.emulators.event_stream.asking import STREAM, send, with_stream


@pytest.mark.parametrize("accept", ["application/json", "application/json; charset=utf-8", "application/json, */*"])
def test_events_are_lines_of_json_after_an_empty_one(accept: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", STREAM, headers={"Accept": accept}) as response:
            parts = response.aiter_raw()
            assert await anext(parts) == b"\n"
            await send(client, 1, 2)
            received = b""
            while received.count(b"\n") < 2:
                received += await anext(parts)
        assert received == b'{"n":1}\n{"n":2}\n'
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"

    with_stream(conversation, heartbeat_seconds=0.001)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/event-stream"),
        ("text/event-stream", "text/event-stream; charset=utf-8"),
        ("*/*", "text/event-stream; charset=utf-8"),
        ("text/html, application/json", "text/event-stream; charset=utf-8"),
    ],
)
def test_everybody_else_gets_events(accept: str | None, kind: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        del client.headers["Accept"]
        async with client.stream("GET", STREAM, headers={} if accept is None else {"Accept": accept}) as response:
            assert await anext(response.aiter_raw()) == b":ok\n\n"
        assert response.headers["Content-Type"] == kind

    with_stream(conversation)


def test_an_error_is_a_line_of_json_too() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.get(STREAM, headers={"Accept": "application/json"})
        assert reply.text == '\n{"message":"asked for in the settings of the emulator"}\n'

    with_stream(conversation, interruption={"after_events": 0, "how": "error"})
