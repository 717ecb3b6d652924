"""Bytes that are no reply: none costs more than its own request, and none more memory than a reply may take."""

import asyncio
import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from tests.worker.asking import KINDS, ask_raw, ids
from tests.worker.clients.shapes import asked_revisions, ores_reply, right
from tests.worker.raw_server import RawReply, RawServer, Request, http
from worker.config.http_connections import LARGEST_REPLY_BYTES
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError
from worker.domain.unpacking import Unpacking, UnreadableReply

GOOD = json.dumps(ores_reply([1])).encode()
MEGABYTE = 1024 * 1024
#: A chunk of 16 KB would grow to 17 MB, and be there thrice while it is unpacked.
MOST_MEMORY = 5 * LARGEST_REPLY_BYTES

both = pytest.mark.parametrize("kind", KINDS)


def answer_to(kind: str, reply: RawReply, **endpoint: Any) -> Answer:
    return asked(kind, lambda _: reply, **endpoint)[0]


def asked(kind: str, reply: Callable[[Request], RawReply], **endpoint: Any) -> tuple[Answer, RawServer]:
    wanted = ids([1], models=["damaging"])
    answers, server = ask_raw(kind, wanted, reply, **endpoint)
    return answers[wanted[0]], server


def raw(*head: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


@both
@pytest.mark.parametrize(
    "reply",
    [
        b"220 mail.example.org ESMTP\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"\x00" * 1000,
        b"HTTP/1.1",
        b"HTTP/1.1 \r\n\r\n",
        b"HTTP/1.1 OK 200\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 -20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n",
        b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\xff\xfe: \xff\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"",
    ],
    ids=lambda reply: repr(reply[:40]),
)
def test_what_is_no_http_is_no_answer(kind: str, reply: bytes) -> None:
    assert isinstance(answer_to(kind, reply), NoAnswer)


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(kind: str, status: int) -> None:
    def elsewhere(_: Request) -> bytes:
        return raw(f"HTTP/1.1 {status} -", "Location: /elsewhere", "Content-Length: 0", "Connection: close")

    answer, server = asked(kind, elsewhere)

    assert isinstance(answer, NoAnswer)
    assert {request.target.startswith("/v") for request in server.requests} == {True}
    assert f"status {status}; it leads to {server.url}/elsewhere" in answer.error


@both
def test_a_redirect_to_another_base_names_what_to_write(kind: str) -> None:
    def elsewhere(request: Request) -> bytes:
        location = f"Location: https://scores.example:8443/inference{request.target}"
        return raw("HTTP/1.1 301 Moved", location, "Content-Length: 0", "Connection: close")

    answer, _ = asked(kind, elsewhere)

    assert isinstance(answer, NoAnswer)
    assert "; write https://scores.example:8443/inference into endpoint.url" in answer.error


@both
def test_the_reply_that_the_bad_ones_are_made_of_is_a_score(kind: str) -> None:
    assert isinstance(answer_to(kind, http(200, GOOD)), Score)


@both
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Our servers are currently under maintenance</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"enwiki": {"models": {}, "scores": {}}}',
        b'{"enwiki": {"models": {}, "scores": {"1": {"damaging": {}}}}}',
        b"\xff" + GOOD,
        GOOD + GOOD,
        b'{"enwiki":' * 100_000,
        b"[" * 1_000_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"enwiki": {"models": {}, "scores": {}, "more": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
        GOOD.replace(b'"0.5.1"', b'"\\ud800"'),
        GOOD.replace(b"0.125", b"0.1" + b"0" * 100_000 + b"1e"),
        GOOD.replace(b"0.125", b"9" * 100_000),
        GOOD.replace(b"0.125", b"1e400"),
        GOOD.replace(b"{", b"\xef\xbb\xbf{", 1),
        GOOD.decode().encode("utf-16"),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_does_not_hold_the_score_is_no_answer(kind: str, body: bytes) -> None:
    assert isinstance(answer_to(kind, http(200, body)), NoAnswer)


@both
@pytest.mark.parametrize("missing", [1, 20, len(GOOD) - 1])
def test_a_reply_that_breaks_off_is_no_answer(kind: str, missing: int) -> None:
    assert isinstance(answer_to(kind, http(200, GOOD[:-missing], length=len(GOOD))), NoAnswer)
    assert isinstance(answer_to(kind, http(200, GOOD[:-missing])), NoAnswer)


@both
@pytest.mark.parametrize("stated", [True, False])
def test_fifty_megabytes_are_not_read_to_the_end(kind: str, stated: bool) -> None:
    async def endless() -> AsyncIterator[bytes]:
        length = [f"Content-Length: {50 * MEGABYTE}"] if stated else []
        yield raw("HTTP/1.1 200 OK", "Content-Type: application/json", *length)
        yield GOOD
        for _ in range(50 * 16):
            yield b" " * (MEGABYTE // 16)

    answer, server = asked(kind, lambda _: endless())

    assert isinstance(answer, NoAnswer)
    assert f"more than {LARGEST_REPLY_BYTES} bytes" in answer.error
    assert server.sent / len(server.requests) < 25 * MEGABYTE


def test_a_small_reply_that_unpacks_to_a_huge_one_takes_no_memory_for_it() -> None:
    bomb = gzip.compress(GOOD + b" " * 150 * MEGABYTE)
    tracemalloc.start()
    try:
        answer = answer_to("ores", http(200, bomb, encoding="gzip"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(answer, NoAnswer)
    assert len(bomb) < most < MOST_MEMORY


def test_a_reply_that_unpacks_to_gigabytes_costs_the_limit_only() -> None:
    packing = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packing.compress(b" " * MEGABYTE) for _ in range(512)) + packing.flush()
    unpacking = Unpacking(["gzip"], LARGEST_REPLY_BYTES)

    tracemalloc.start()
    try:
        with pytest.raises(UnreadableReply, match="more than"):
            unpacking.take(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < MOST_MEMORY


@both
@pytest.mark.parametrize("encoding", ["br", "zstd", "compress"])
def test_a_packing_that_nobody_asked_for_is_named(kind: str, encoding: str) -> None:
    answer = answer_to(kind, http(200, GOOD, encoding=encoding))

    assert isinstance(answer, NoAnswer)
    assert f"packed as {encoding}" in answer.error


@both
def test_what_follows_packed_data_is_bounded_too(kind: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield raw("HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Encoding: gzip")
        yield gzip.compress(GOOD)
        for _ in range(50 * 16):
            yield b" " * (MEGABYTE // 16)

    answer, server = asked(kind, lambda _: endless())

    assert isinstance(answer, NoAnswer)
    assert f"more than {LARGEST_REPLY_BYTES} bytes" in answer.error
    assert server.sent / len(server.requests) < 25 * MEGABYTE


@both
@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "gzip\r\nContent-Encoding: gzip"])
def test_a_reply_that_is_packed_more_than_once_is_not_unpacked(kind: str, encoding: str) -> None:
    answer = answer_to(kind, http(200, gzip.compress(gzip.compress(GOOD)), encoding=encoding))

    assert isinstance(answer, NoAnswer)
    assert "packed" in answer.error


@both
@pytest.mark.parametrize(
    "body",
    [GOOD, b"", gzip.compress(GOOD, mtime=0)[:-20], gzip.compress(GOOD, mtime=0)[10:], b"\x1f\x8b" + bytes(range(256))],
    ids=["plain", "empty", "cut", "headless", "garbage"],
)
def test_a_reply_that_is_not_packed_as_it_says_is_no_answer(kind: str, body: bytes) -> None:
    assert isinstance(answer_to(kind, http(200, body, encoding="gzip")), NoAnswer)


@both
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(GOOD, mtime=0)),
        ("X-GZIP", gzip.compress(GOOD, mtime=0)),
        ("deflate", zlib.compress(GOOD)),
        ("deflate", zlib.compress(GOOD, wbits=-15)),
        ("identity", GOOD),
        ("nonsense", GOOD),
    ],
)
def test_a_reply_that_is_packed_rightly_or_not_at_all_is_a_score(kind: str, encoding: str, body: bytes) -> None:

    assert isinstance(answer_to(kind, http(200, body, encoding=encoding)), Score)


async def dripping() -> AsyncIterator[bytes]:
    """A right head, and then a byte each 10 ms for ever."""
    yield raw("HTTP/1.1 200 OK", "Content-Length: 1000000")
    while True:
        yield b" "
        await asyncio.sleep(0.01)


@both
def test_a_reply_that_drips_ends_with_the_time_of_one_request(kind: str) -> None:
    answer, server = asked(kind, lambda _: dripping(), timeout_seconds=0.2)

    assert isinstance(answer, NoAnswer)
    assert (answer.failure, "no reply within 0.2 s" in answer.error) == (Failure.LATE, True)
    # None where the machine had no time for it.
    assert len(server.requests) <= 1


@pytest.mark.parametrize(("kind", "size"), [("ores", 50), ("lift_wing", 1)])
def test_a_reply_that_drips_harms_no_other_request(kind: str, size: int) -> None:
    def reply(request: Request) -> RawReply:
        return dripping() if 1 in asked_revisions(request) else right(request)

    answers, _ = ask_raw(kind, ids(range(1, 2 * size + 2), models=["damaging"]), reply, timeout_seconds=5)

    silent = [score_id.revision for score_id, answer in answers.items() if not isinstance(answer, Score)]
    assert silent == list(range(1, size + 1))


@both
def test_no_reply_at_all_ends_with_the_time_of_one_request(kind: str) -> None:
    answer = answer_to(kind, None, timeout_seconds=0.05)

    assert isinstance(answer, NoAnswer)
    assert "no reply within 0.05 s" in answer.error


@both
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_no_damage_to_a_whole_reply_is_more_than_an_answer(kind: str, status: int) -> None:
    replies = _damaged_replies(http(status, GOOD).replace(b"\r\n", b"\r\nRetry-After: 7\r\n", 1), count=100)
    wanted = ids(range(100), models=["damaging"])

    def reply(request: Request) -> bytes:
        return replies[asked_revisions(request)[0]]

    answers, _ = ask_raw(kind, wanted, reply, timeout_seconds=2, scores_per_request=1)

    assert list(answers) == wanted
    assert {type(answer) for answer in answers.values()} <= {Score, ScoreError, NoAnswer}


def _damaged_replies(reply: bytes, *, count: int) -> Sequence[bytes]:
    chance = random.Random(3)
    damaged = []
    for _ in range(count):
        bad = bytearray(reply)
        for _ in range(chance.randint(1, 6)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        damaged.append(bytes(bad[: chance.choice([len(bad), chance.randrange(len(bad))])]))
    return damaged
