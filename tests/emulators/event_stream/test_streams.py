"""The emulated EventStreams tells events as the real one does: blocks, ids, and where it goes on."""

import json

import httpx
import pytest

from tests.emulators.event_stream.asking import connections, listening, send, with_stream
from worker.emulators.event_stream.history import BEGINNING_MS

EQIAD, CODFW = "eqiad.mediawiki.recentchange", "codfw.mediawiki.recentchange"


def at(timestamp: int, topic: str = EQIAD) -> str:
    return json.dumps([{"topic": topic, "partition": 0, "timestamp": timestamp}])


def test_an_event_is_one_block_with_an_id_and_a_line_of_data() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1)
            block = await connection.block()
        assert block.fields == {
            "event": "message",
            "id": f'[{{"topic":"{EQIAD}","partition":0,"timestamp":{BEGINNING_MS + 1}}},'
            f'{{"topic":"{CODFW}","partition":0,"offset":-1}}]',
            "data": '{"n":1}',
        }

    with_stream(conversation)


def test_a_stream_is_sent_as_such() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            assert connection.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert connection.response.headers["Transfer-Encoding"] == "chunked"

    with_stream(conversation)


def test_who_names_no_place_hears_only_what_comes_next() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1, 2)
        async with listening(client) as connection:
            await send(client, 3)
            assert await connection.numbers(1) == [3]

    with_stream(conversation)


def test_an_id_goes_on_after_its_event() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2, 3)
            first = await connection.block()
        async with listening(client, last=first.id) as connection:
            assert await connection.numbers(2) == [2, 3]

    with_stream(conversation)


def test_an_id_of_a_moment_jumps_over_others_of_the_same_millisecond() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2, 3)
            first = await connection.block()
        async with listening(client, last=first.id) as connection:
            await client.patch("/_emulator/settings", json={"ms_per_event": 1})
            await send(client, 4, 5)
            # The fourth is of the same millisecond still, the fifth is the first that is later.
            assert await connection.numbers(2) == [4, 5]

    with_stream(conversation, ms_per_event=0)


def test_an_id_of_offsets_jumps_over_nothing() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            await send(client, 1, 2, 3)
            first = await connection.block()
        assert first.places[0] == {"topic": EQIAD, "partition": 0, "offset": 1}
        async with listening(client, last=first.id) as connection:
            assert await connection.numbers(2) == [2, 3]

    with_stream(conversation, ms_per_event=0, ids="offset")


def test_a_topic_that_was_not_read_yet_has_an_offset_after_a_moment_was_given_for_it() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1, datacentre="codfw")
        await send(client, 2)
        last = json.dumps(json.loads(at(BEGINNING_MS)) + json.loads(at(BEGINNING_MS + 5000, CODFW)))
        async with listening(client, last=last) as connection:
            assert (await connection.block()).places[1] == {"topic": CODFW, "partition": 0, "offset": -1}
        last = json.dumps(json.loads(at(BEGINNING_MS + 1000)) + json.loads(at(0, CODFW)))
        async with listening(client, last=last) as connection:
            assert (await connection.block()).number == 1

    with_stream(conversation)


def test_a_topic_that_an_id_leaves_out_is_not_read() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1, datacentre="codfw")
        await send(client, 2)
        async with listening(client, last=at(BEGINNING_MS)) as connection:
            assert await connection.numbers(1) == [2]

    with_stream(conversation)


@pytest.mark.parametrize("since", [str(BEGINNING_MS + 1500), "2026-01-01T00:00:01.500Z", "2026-01-01T00:00:01.5"])
def test_since_begins_at_a_moment(since: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 0, 1, 2, 3)
        async with listening(client, since=since) as connection:
            assert await connection.numbers(2) == [2, 3]

    with_stream(conversation)


def test_since_later_than_everything_is_now() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1)
        async with listening(client, since="2027-01-01") as connection:
            await send(client, 2)
            assert await connection.numbers(1) == [2]

    with_stream(conversation)


def test_an_id_is_stronger_than_since() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 0, 1, 2)
        async with listening(client, last=at(BEGINNING_MS + 2000), since="2026-01-01") as connection:
            assert await connection.numbers(1) == [2]

    with_stream(conversation)


def test_events_are_remembered_up_to_a_number() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1, 2, 3, 4, 5)
        async with listening(client, since="2026-01-01") as connection:
            assert await connection.numbers(3) == [3, 4, 5]

    with_stream(conversation, kept=3)


def test_streams_are_named_with_or_without_mediawiki_and_read_together() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client, "/v2/stream/recentchange,mediawiki.page_change.v1") as connection:
            await send(client, 1)
            await send(client, 2, stream="mediawiki.page_change.v1")
            await send(client, 3, stream="mediawiki.page-delete")
            await send(client, 4, datacentre="codfw")
            assert await connection.numbers(3) == [1, 2, 4]

    with_stream(conversation)


def test_everybody_hears_everything() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as one, listening(client) as other:
            await send(client, 1, 2)
            assert await one.numbers(2) == await other.numbers(2) == [1, 2]

    with_stream(conversation)


def test_silence_is_filled_with_comments() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client) as connection:
            assert await connection.comment() == ":heartbeat\n\n"

    with_stream(conversation, heartbeat_seconds=0.01)


def test_connections_are_told_with_what_they_asked_for() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1)
        async with listening(client, last=at(BEGINNING_MS), since="7") as connection:
            await connection.block()
            (open_one,) = await connections(client)
        assert open_one == {
            "number": 1,
            "streams": "recentchange",
            "last_event_id": at(BEGINNING_MS),
            "since": "7",
            "user_agent": client.headers["User-Agent"],
            "status": 200,
            "sent": 1,
            "comments": 0,
            "is_open": True,
        }

    with_stream(conversation)


def test_a_client_that_goes_is_noticed() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        async with listening(client):
            pass
        while (await connections(client))[0]["is_open"]:
            pass

    with_stream(conversation)
