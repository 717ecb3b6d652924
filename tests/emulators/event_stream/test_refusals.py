"""The emulated EventStreams refuses what the original refuses, in its words: the service's own, and KafkaSSE's."""

import json
from typing import Any

import httpx
import pytest

from tests.emulators.event_stream.asking import STREAM, connections, listening, send, with_stream

TOPICS = ["eqiad.mediawiki.recentchange", "codfw.mediawiki.recentchange"]
WANTED = "Must provide either an array topic names, or  an array of objects with topic, partition and offset|timestamp."


def refused(path: str, last: str | None = None) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """The reply to a request, and the connections that the emulator then tells of."""
    found: list[Any] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        found.append(await client.get(path, headers={} if last is None else {"Last-Event-ID": last}))
        found.append(await connections(client))

    with_stream(conversation)
    return found[0], found[1]


@pytest.mark.parametrize(
    ("path", "type_", "title", "detail"),
    [
        ("/v2/stream/nonsense", "not_found", "Stream Not Found", "Invalid streams: nonsense"),
        ("/v2/stream/a,recentchange,b", "not_found", "Stream Not Found", "Invalid streams: a,b"),
        (
            f"{STREAM}?since=yesterday",
            "invalid_timestamp",
            "Invalid timestamp",
            "since timestamp is not a UTC milliseconds unix epoch and was not parseable: 'yesterday'",
        ),
    ],
)
def test_the_service_refuses_with_a_problem_document(path: str, type_: str, title: str, detail: str) -> None:
    reply, body = refused(path)

    assert reply.status_code == 400
    assert reply.headers["Content-Type"].startswith("application/json")
    about = {"status": 400, "type": type_, "title": title, "detail": detail, "method": "GET", "uri": path}
    assert reply.json() == about
    assert [each["status"] for each in body] == [400]


@pytest.mark.parametrize(
    ("last", "status", "name", "message"),
    [
        ("{", 400, "InvalidAssignmentError", None),
        ("7", 400, "InvalidAssignmentError", WANTED),
        ("[]", 400, "InvalidAssignmentError", WANTED),
        ('{"topic":"t"}', 400, "InvalidAssignmentError", WANTED),
        (json.dumps([{"topic": TOPICS[0]}]), 400, "InvalidAssignmentError", WANTED),
        (json.dumps([{"topic": TOPICS[0], "partition": "0", "offset": 1}]), 400, "InvalidAssignmentError", WANTED),
        (
            json.dumps([TOPICS[0], "eqiad.mediawiki.page-delete"]),
            404,
            "TopicNotAvailableError",
            "Topics eqiad.mediawiki.page-delete are not available for consumption.",
        ),
        (
            json.dumps([{"topic": "secret", "partition": 0, "offset": 1}]),
            404,
            "TopicNotAvailableError",
            "Topics secret are not available for consumption.",
        ),
    ],
)
def test_kafka_sse_refuses_a_place_with_its_error_as_a_line_of_json(
    last: str, status: int, name: str, message: str | None
) -> None:
    reply, body = refused(STREAM, last)

    assert reply.status_code == status
    assert reply.text.endswith("}\n")
    document = reply.json()
    assert (document["name"], document["origin"], document["statusCode"]) == (name, "KafkaSSE", status)
    assert message is None or document["message"] == message
    assert reply.reason_phrase == f"{name}: {' '.join(document['message'].split())}"
    assert [each["status"] for each in body] == [status]


@pytest.mark.parametrize("last", [json.dumps(TOPICS), json.dumps(",".join(TOPICS)), json.dumps([TOPICS[0]])])
def test_a_place_may_be_a_topic_by_its_name(last: str) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        await send(client, 1)
        async with listening(client, last=last) as connection:
            await send(client, 2)
            assert await connection.numbers(1) == [2]
        async with listening(client, last=last, since="2026-01-01") as connection:
            assert await connection.numbers(2) == [1, 2]

    with_stream(conversation)


def test_a_client_with_too_many_connections_is_refused_and_others_are_not() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        client.headers["X-Client-IP"] = "192.0.2.1"
        async with listening(client):
            reply = await client.get(STREAM)
            assert (reply.status_code, reply.json()["type"]) == (429, "too_many_requests")
            assert reply.json()["title"] == "Too Many Concurrent Connections From Your Client IP"
            client.headers["X-Client-IP"] = "192.0.2.2"
            async with listening(client):
                assert "192.0.2" not in str(await connections(client))

    with_stream(conversation, connections_per_client=1)


def test_where_connections_are_counted_a_client_without_an_address_is_refused() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.get(STREAM)
        assert (reply.status_code, reply.json()["title"]) == (400, "Missing Required X-Client-IP Header")

    with_stream(conversation, connections_per_client=1)
