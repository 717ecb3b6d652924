"""Events to be told, and listening to a fresh emulated EventStreams inside the test's own process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.emulators.conversations import Conversation, with_app
from worker.emulators.event_stream.endpoint import EventStreamSettings, make_app

STREAM = "/v2/stream/recentchange"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the stream, its fields by name."""

    fields: dict[str, str]

    @property
    def number(self) -> int:
        """Which of `numbered` events it tells."""
        number: int = json.loads(self.fields["data"])["n"]
        return number

    @property
    def id(self) -> str:
        return self.fields["id"]

    @property
    def places(self) -> list[dict[str, Any]]:
        places: list[dict[str, Any]] = json.loads(self.id)
        return places


class StreamConnection:
    """What comes on one connection, without any client of SSE."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._parts = response.aiter_raw()
        self.text = ""

    async def block(self) -> Block:
        """The next block that is no comment."""
        while True:
            while "\n\n" not in self.text:
                self.text += (await anext(self._parts)).decode()
            block, _, self.text = self.text.partition("\n\n")
            if not block.startswith(":"):
                return Block(dict(line.split(": ", 1) for line in block.splitlines()))

    async def comment(self) -> str:
        """The next bytes, which have to be a comment."""
        return (await anext(self._parts)).decode()

    async def numbers(self, count: int) -> list[int]:
        return [(await self.block()).number for _ in range(count)]

    async def to_the_end(self) -> str:
        """All that is left of a stream that ends."""
        async for part in self._parts:
            self.text += part.decode()
        return self.text


def set_to(**settings: object) -> EventStreamSettings:
    return EventStreamSettings.model_validate({"heartbeat_seconds": 60} | settings)


def with_stream(conversation: Conversation, kept: int = 1000, **settings: object) -> None:
    """Run a conversation with a fresh EventStreams on a free loopback port."""
    with_app(make_app(set_to(**settings), kept), conversation)


@asynccontextmanager
async def listening(
    client: httpx.AsyncClient, path: str = STREAM, *, last: str | None = None, **params: str
) -> AsyncIterator[StreamConnection]:
    """A connection that is taken; everything posted from now on comes."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with client.stream("GET", path, headers=headers, params=params or None) as response:
        connection = StreamConnection(response)
        assert (await anext(connection._parts)) == b":ok\n\n"
        yield connection


async def send(client: httpx.AsyncClient, *numbers: int, **where: str) -> None:
    """Tell events with these numbers."""
    reply = await client.post("/_emulator/events", json={"events": [{"n": number} for number in numbers]} | where)
    assert reply.status_code == 201


async def connections(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Who came."""
    found: list[dict[str, Any]] = (await client.get("/_emulator/connections")).json()["connections"]
    return found
