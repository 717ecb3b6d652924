"""What a reply of an EventGate may cost, and what one says that is no EventGate's."""

import gzip
import json
import tracemalloc
import zlib

import pytest

from tests.worker.raw_server import http, raw_server_beside
from tests.worker.sinks.posting import a_score, identity, scores, sent, sent_to_one_that_says
from worker.events.eventgate import LARGEST_REPLY_BYTES
from worker.events.sinks import EventRefused, SinkUnavailable

MEGABYTE = 1024 * 1024
#: Of two events, of which the second was invalid.
VERDICTS = json.dumps(
    {"invalid": [{"event": {"meta": {"id": identity(1)}}, "context": {"errorsText": "no title"}}]}
).encode()


def bomb(head: bytes, megabytes: int) -> bytes:
    packing = zlib.compressobj(9, wbits=31)
    blanks = b"".join(packing.compress(b" " * MEGABYTE) for _ in range(megabytes))
    return packing.compress(head) + blanks + packing.flush()


@pytest.mark.parametrize("status", [207, 500, 503])
def test_a_small_reply_that_unpacks_to_a_huge_one_takes_no_memory_for_it(status: int) -> None:
    reply = http(status, bomb(VERDICTS, 128), encoding="gzip")

    tracemalloc.start()
    try:
        failures, _ = sent_to_one_that_says(reply, events=scores(1))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(failures[0], SinkUnavailable)
    assert "bytes can't be right; see who answers there, or correct sinks.eventgate.url" in failures[0].reason
    assert most < 6 * LARGEST_REPLY_BYTES


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", VERDICTS),
        ("gzip", gzip.compress(VERDICTS, mtime=0)),
        ("deflate", zlib.compress(VERDICTS)),
        ("deflate", zlib.compress(VERDICTS, wbits=-15)),
    ],
)
def test_a_reply_is_read_however_it_is_rightly_packed(encoding: str, body: bytes) -> None:
    failures, _ = sent_to_one_that_says(http(207, body, encoding=encoding), events=scores(2))

    assert failures == {1: EventRefused("no title")}


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        ("br", VERDICTS, "packed as br was not asked for"),
        ("zstd", VERDICTS, "packed as zstd was not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(VERDICTS, mtime=0), mtime=0), "packed twice"),
        ("gzip", VERDICTS, "not packed as it says"),
        ("gzip", gzip.compress(VERDICTS, mtime=0)[:-9], "breaks off within its packed data"),
    ],
)
def test_a_reply_that_is_packed_wrongly_delivers_nothing_and_is_named(encoding: str, body: bytes, says: str) -> None:
    failures, requests = sent_to_one_that_says(http(207, body, encoding=encoding), events=scores(2))

    assert {type(failure) for failure in failures.values()} == {SinkUnavailable}
    assert says in failures[0].reason
    assert len(requests) == 1


def test_a_reply_may_repeat_a_large_event_that_was_refused() -> None:
    event = a_score(1, padding=LARGEST_REPLY_BYTES)
    verdicts = {"invalid": [{"event": json.loads(event.body), "context": {"errorsText": "too long"}}]}

    failures, _ = sent_to_one_that_says(http(400, json.dumps(verdicts).encode()), events=[event])

    assert failures == {0: EventRefused("too long")}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_base_names_what_to_write(status: int) -> None:
    target = "https://events.example:4492/gate/v1/events?x=1"
    reply = http(status, b"").replace(b"\r\n", f"\r\nLocation: {target}\r\n".encode(), 1)

    failures, requests = sent_to_one_that_says(reply, events=scores(2))

    (reason,) = {failure.reason for failure in failures.values()}
    said = "it leads to https://events.example:4492/gate/v1/events; write https://events.example:4492/gate into "
    assert reason.endswith(f"; {said}sinks.eventgate.url")
    assert f"status {status}: " in reason
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("/login?next=/v1/events", "/login, which is no other base of the same API; correct sinks.eventgate.url"),
        ("/v1/events/", "it leads back to the same address"),
        ("http://[::1", "it leads nowhere; correct sinks.eventgate.url"),
    ],
)
def test_a_redirect_that_leads_to_no_eventgate_says_so(location: str, says: str) -> None:
    reply = http(302, b"").replace(b"\r\n", f"\r\nLocation: {location}\r\n".encode(), 1)

    with raw_server_beside(lambda _: reply) as server:
        (failure,) = sent(server.url, scores(1)).values()

    assert says in failure.reason
