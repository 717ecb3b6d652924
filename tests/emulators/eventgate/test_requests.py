"""What the emulated EventGate reads: bodies, content types, the hasty parameter, and its other paths."""

import json

import httpx
import pytest

from tests.emulators.eventgate.asking import a_score_event, reply_to_body, summary, taken, with_eventgate
from worker.emulators.eventgate.endpoint import EventGateSettings


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", None),
        (b"[]", None),
        (b"{}", None),
        (json.dumps(a_score_event()), {"Content-Type": "application/x-ndjson"}),
        (json.dumps(a_score_event()), {}),
    ],
)
def test_a_body_without_events_gives_400_and_says_so_in_the_status_line_only(
    body: bytes | str, headers: dict[str, str] | None
) -> None:
    reply, kept = reply_to_body(body, headers=headers)
    assert (reply.status_code, reply.content) == (400, b"")
    assert reply.reason_phrase == "Request body was empty. Must provide JSON encoded events."
    assert kept == []


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "text/plain", "application/reports+json", "application/json"]
)
def test_events_come_in_three_content_types(content_type: str) -> None:
    reply, _ = reply_to_body(json.dumps(a_score_event()), headers={"Content-Type": content_type})
    assert reply.status_code == 201


@pytest.mark.parametrize("body", ["{", "nonsense", '"text"', "7", "  ", '{"a": NaN}', "[" * 100_000])
def test_a_body_that_is_no_json_array_or_object_gives_500_and_a_syntax_error(body: str) -> None:
    reply, _ = reply_to_body(body)
    problem = reply.json()
    assert reply.status_code == problem["status"] == 500
    assert problem.pop("detail")
    assert problem == {
        "status": 500,
        "type": "internal_error",
        "title": "SyntaxError",
        "method": "POST",
        "uri": "/v1/events",
    }


def test_a_body_beyond_the_limit_gives_500_and_payload_too_large() -> None:
    body = json.dumps(a_score_event())
    reply, kept = reply_to_body(body, settings=EventGateSettings(max_body_size=len(body) - 1))
    assert (reply.status_code, reply.json()["title"]) == (500, "PayloadTooLargeError")
    assert (reply.json()["detail"], kept) == ("request entity too large", [])


def test_a_body_of_just_the_limit_is_taken() -> None:
    body = json.dumps(a_score_event())
    reply, _ = reply_to_body(body, settings=EventGateSettings(max_body_size=len(body)))
    assert reply.status_code == 201


def test_the_limit_is_four_mebibytes_unless_set() -> None:
    long = json.dumps(a_score_event(page_title="x" * 2**22))
    assert reply_to_body(long)[0].json()["title"] == "PayloadTooLargeError"
    assert reply_to_body(json.dumps(a_score_event(page_title="x" * 2**21)))[0].status_code == 201


@pytest.mark.parametrize("value", ["true", "1", "false"])
def test_hasty_events_get_202_at_once_whatever_becomes_of_them(value: str) -> None:
    events = json.dumps([a_score_event("1"), a_score_event("2", rev_id="x")])
    reply, kept = reply_to_body(events, f"/v1/events?hasty={value}")
    assert (reply.status_code, reply.reason_phrase) == (202, "2 events hastily received.")
    assert reply.content == b""
    assert kept == [a_score_event("1")]


def test_an_empty_hasty_parameter_is_none() -> None:
    assert reply_to_body(json.dumps(a_score_event()), "/v1/events?hasty=")[0].status_code == 201


def test_half_a_surrogate_pair_goes_through_as_in_javascript() -> None:
    reply, kept = reply_to_body(json.dumps(a_score_event(page_title="\ud83d")))
    assert (reply.status_code, kept[0]["page_title"]) == (201, "\ud83d")


def test_the_service_tells_what_it_is() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        information = (await client.get("/_info")).json()
        assert set(information) == {"name", "version", "description", "home"}
        assert information["name"] == "eventgate"

    with_eventgate(conversation)


def test_the_test_event_takes_the_way_of_all_events() -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.get("/v1/_test/events")
        assert (reply.status_code, reply.reason_phrase) == (201, "All 1 out of 1 events were accepted.")
        assert (await taken(client))[0]["$schema"] == "/test/event/1.0.0"
        await client.patch("/_emulator/settings", json={"failures": {"rate": 1}})
        assert (await client.get("/v1/_test/events")).status_code == 503
        assert (await summary(client))["streams"] == {"eventgate-main.test.event": 1}

    with_eventgate(conversation)
