"""The short way gives what the long way gives, to the letter, for one look and without reading any JSON."""

import asyncio
import json
from typing import Any

import pytest
import uvicorn
from hypothesis import example, given
from hypothesis import strategies as st
from redis import Redis
from starlette.types import Scope
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from tests.builders import a_score, a_score_error
from tests.web.conftest import OpenFront
from tests.web.documents import VERSION
from tests.web.fronts import Front, Reply
from tests.web.test_repeats import looks
from worker.domain.scores import Final, Score, ScoreError, ScoreId
from worker.flight.results import encode_result, stored_answer
from worker.web import shapes
from worker.web.connections import HttpProtocol
from worker.web.replies import Ready
from worker.web.shortcut import MOST_FORMS, TAKEN, TellReply, entry_bytes

pytestmark = pytest.mark.usefixtures("known_for_long")

ONE = "/v3/scores/enwiki/1/damaging?format=json"
#: Among them revisions that are gone, which the emulated endpoint decides by their ids.
MANY = f"/v3/scores/enwiki/?format=json&revids={'|'.join(map(str, range(1, 51)))}"

texts = st.text(max_size=20)
probabilities = st.dictionaries(texts, st.floats(0, 1), max_size=4) | st.fixed_dictionaries(
    {"true": st.floats(0, 1), "false": st.floats(0, 1)}
)
answers: st.SearchStrategy[Final] = st.builds(
    Score,
    model=texts,
    version=texts,
    prediction=st.sampled_from(["true", "false"]) | texts | st.lists(texts, max_size=3).map(tuple),
    probability=probabilities,
    features=st.none() | st.dictionaries(texts, st.integers(-(2**40), 2**40) | texts, max_size=2),
) | st.builds(ScoreError, model=texts, version=texts, type=texts, message=texts)


def the_long_way(front: Front, path: str) -> Reply:
    def takes_nothing(scope: Scope, _: TellReply) -> bool:
        scope[TAKEN] = False
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(front.application.handling.shortcut, "take", takes_nothing)
        return front.get(path)


def ways_taken(front: Front, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request from now on took the short way."""
    taken: list[bool] = []
    take = front.application.take

    def noted(scope: Scope, tell: TellReply) -> bool:
        def heard(ready: Ready | None) -> None:
            taken.append(ready is not None)
            tell(ready)

        is_taken = take(scope, heard)
        if not is_taken:
            taken.append(False)
        return is_taken

    monkeypatch.setattr(front.application, "take", noted)
    return taken


@given(answers)
@example(a_score(prediction=()))
@example(a_score(prediction="spam"))
@example(a_score(prediction='"true"'))
@example(a_score(prediction="\x7f", probability={"é": 1e-05, "b": 1e-07, "c": 0.0001, "d": 0.1234567890123456789}))
def test_what_is_cut_out_of_a_stored_answer_is_what_reading_and_writing_it_gives(answer: Final) -> None:
    stored = stored_answer(encode_result(ScoreId("enwiki", "damaging", 1, "1"), answer).encode())

    assert stored is not None
    assert entry_bytes(stored) == json.dumps(shapes.entry_of(answer), separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("answer", "reads"),
    [
        (a_score(), 0),
        (a_score(prediction="spam", probability={"spam": 1.0, "OK": 0.0}), 0),
        (a_score(prediction=("Culture.Media", "STEM"), probability={"Culture.Media": 0.5, "STEM": 0.0}), 0),
        (a_score(prediction=("STEM",), probability={"STEM": 1e-07}), 1),
        (a_score(prediction="Ð", probability={"Ð": 1.0}), 1),
        (a_score(features={"feature.x": 1}), 1),
        (a_score_error(), 1),
    ],
)
def test_no_json_is_read_for_a_score(answer: Final, reads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    loads = json.loads

    def noted(text: bytes) -> Any:
        read.append(text)
        return loads(text)

    monkeypatch.setattr(json, "loads", noted)
    stored = stored_answer(encode_result(ScoreId("enwiki", "damaging", 1, "1"), answer).encode())

    assert stored is not None
    assert (entry_bytes(stored), len(read)) == (stored.entry, reads)


@pytest.mark.parametrize(
    "path",
    [
        ONE,
        MANY,
        "/v3/scores/enwiki/1?format=json",
        "/v3/scores/enwiki/1/?format=json",
        "/v3//scores/enwiki/001/damaging?format=json&precache=true",
        "/v3/scores/enwiki/1?models=goodfaith|damaging&format=json&x=y",
        "/v3/scores/enwiki?models=goodfaith%7Cdamaging&revids=3%7C2&format=json",
        "/v3/scores/enwiki?revids=2|2|1&models=damaging&format=json",
    ],
)
def test_the_short_way_gives_what_the_long_way_gives(front: Front, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    front.get(path)
    long = the_long_way(front, path)
    ways = ways_taken(front, monkeypatch)
    short = front.get(path)

    assert ways == [True]
    assert (short.status_code, short.headers.multi_items(), short.content) == (
        long.status_code,
        long.headers.multi_items(),
        long.content,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/v3/scores/enwiki/0/damaging?format=json",
        "/v3/scores/enwiki/4294967296/damaging?format=json",
        f"/v3/scores/enwiki/{'9' * 5000}/damaging?format=json",
        "/v3/scores/enwiki/%D9%A1/damaging?format=json",
        "/v3/scores/enwiki/1/damaging/more?format=json",
        "/v3/scores/enwiki/1/nothing?format=json",
        "/v3/scores/nowiki/1/damaging?format=json",
        "/v3/scores/enwiki?format=json&revids=1|x",
        f"/v3/scores/enwiki?format=json&revids={'|'.join(map(str, range(1, 52)))}",
        "/v3/scores/enwiki/1/damaging?format=json&features",
        "/v3/scores/enwiki/1/damaging?format=json&inject=x",
        "/v3/scores/enwiki/1/damaging?format=json&callback=done",
        "/v3/scores/enwiki/1/damaging?format=json&model_info=version",
        "/v3/scores/enwiki/1/damaging",
        "/v3/scores/enwiki?format=json",
        "/v2/scores/enwiki/damaging/1?format=json",
    ],
)
def test_what_is_unusual_takes_the_long_way(front: Front, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    front.json(ONE)
    ways = ways_taken(front, monkeypatch)
    reply = front.get(path)

    assert ways == [False]
    long = the_long_way(front, path)
    assert (reply.status_code, reply.content) == (long.status_code, long.content)


def test_cached_scores_cost_one_look_for_all_who_ask_at_once(open_front: OpenFront, redis: Redis) -> None:
    paths = [f"/v3/scores/enwiki/{revision}/damaging?format=json" for revision in range(1, 21)]
    open_front().at_once(paths)
    front = open_front()
    front.json(ONE)
    before = looks(redis)
    replies = front.at_once(paths)

    assert {reply.status_code for reply in replies} == {200}
    assert looks(redis) == before + 1


def test_a_score_that_is_not_there_is_not_looked_for_twice_before_it_is_asked_for(
    open_front: OpenFront, redis: Redis
) -> None:
    front, long = open_front(), open_front()
    for each in (front, long):
        each.json(ONE)
    before = looks(redis)
    the_long_way(long, ONE.replace("/1/", "/2/"))
    between = looks(redis)
    front.json(ONE.replace("/1/", "/3/"))

    assert looks(redis) - between <= between - before


def test_scores_of_another_version_are_not_given_once_that_is_not_current(
    open_front: OpenFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = open_front()
    front.json(ONE)
    front.json(ONE)
    monkeypatch.setattr(front.door, "known_versions", lambda _: {"damaging": "0.6.0", "goodfaith": VERSION})
    ways = ways_taken(front, monkeypatch)
    front.json(f"{ONE}&x=y")

    assert ways == [False]


def test_a_reply_of_the_short_way_is_counted_as_any_other(front: Front) -> None:
    for _ in range(3):
        front.json(ONE)
    front.json(f"{ONE}&precache=true")
    with capture_logs() as lines:
        front.application.handling.counts.tell()

    # Of the workers, which may not be done with the first one, there may be lines as well.
    (line,) = [each for each in lines if each["event"] == "requests_answered"]
    names = ("scores_request", "precache_request", "revision_scored", "score_cache_hit", "response_200")
    assert [line[name] for name in names] == [3, 1, 4, 3, 4]


def test_questions_are_not_kept_without_bound(front: Front) -> None:
    front.json(ONE)
    front.at_once([f"{ONE}&x={number}" for number in range(3)])
    for number in range(MOST_FORMS + 10):
        scope = {"path": "/v3/scores/enwiki/1/damaging", "query_string": b"format=json&x=%d" % number}
        assert front.application.handling.shortcut.question_of(scope) is not None

    assert len(front.application.handling.shortcut) <= MOST_FORMS


class Written(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.parts.append(bytes(data))

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return b"closed" in self.parts

    def close(self) -> None:
        self.parts.append(b"closed")

    def pause_reading(self) -> None:
        """Nothing comes anyway."""

    def resume_reading(self) -> None:
        """Nothing comes anyway."""


def spoken(front: Front, request: bytes) -> tuple[list[bytes], int]:
    """What a connection of *front* writes for *request*, and how many tasks it starts."""

    async def speak() -> tuple[list[bytes], int]:
        config = uvicorn.Config(front.application, log_config=None, lifespan="off", ws="none", proxy_headers=False)
        config.load()
        state, transport = ServerState(), Written()
        protocol = HttpProtocol(config, state, {})
        protocol.connection_made(transport)
        protocol.data_received(request)
        tasks = len(state.tasks)
        while state.tasks:
            await asyncio.wait(state.tasks)
        protocol.connection_lost(None)
        return transport.parts, tasks

    return front.run(speak())


def test_a_score_that_was_given_before_is_one_write_and_no_task(front: Front) -> None:
    front.json(ONE)
    expected = front.get(ONE)
    written, tasks = spoken(front, f"GET {ONE} HTTP/1.1\r\nHost: door\r\n\r\n".encode())
    reply = written[0]

    head, _, body = reply.partition(b"\r\n\r\n")
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    assert (tasks, body) == (0, expected.content)
    assert written[1:] == [b"closed"]
    assert [(name.decode(), value.decode()) for name, value in lines] == expected.headers.multi_items()


def test_who_wants_the_connection_closed_gets_it_closed(front: Front) -> None:
    front.json(ONE)
    front.json(ONE)
    written, _ = spoken(front, f"GET {ONE} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())

    assert b"\r\nconnection: close\r\n\r\n" in written[0]
    assert written[1] == b"closed"


def test_requests_in_one_piece_are_answered_in_their_order_whichever_way_they_take(front: Front) -> None:
    paths = [ONE, "/versions", ONE]
    front.json(ONE)
    front.json(ONE)
    written, tasks = spoken(front, b"".join(f"GET {path} HTTP/1.1\r\n\r\n".encode() for path in paths))

    types = [
        part.partition(b"content-type: ")[2].split(b"\r\n")[0] for part in b"".join(written).split(b"HTTP/1.1 ")[1:]
    ]
    assert types == [b"application/json", b"text/html; charset=utf-8", b"application/json"]
    assert tasks == 1


@pytest.mark.parametrize("path", [ONE, "/versions"])
def test_nothing_is_answered_after_the_request_that_closes(front: Front, path: str) -> None:
    front.json(ONE)
    front.json(ONE)
    last = f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
    written, _ = spoken(front, last + f"GET {ONE} HTTP/1.1\r\n\r\n".encode())

    assert b"".join(written).count(b"HTTP/1.1 200 OK") == 1
    assert b"closed" in written


@pytest.mark.parametrize(
    ("extra", "body"),
    [(b"Content-Length: 4\r\n\r\nbody", b""), (b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n", b"body")],
)
def test_a_body_that_nobody_reads_is_no_request(front: Front, extra: bytes, body: bytes) -> None:
    front.json(ONE)
    front.json(ONE)
    request = f"GET {ONE} HTTP/1.1\r\n".encode()
    written, _ = spoken(front, request + extra + body + request + b"\r\n")

    assert [part[:6] for part in b"".join(written).split(b"HTTP/1.1 ")[1:]] == [b"200 OK"] * 2


def test_a_head_has_the_length_of_the_body_that_it_has_not(front: Front) -> None:
    front.json(ONE)
    written, _ = spoken(front, f"HEAD {ONE} HTTP/1.1\r\n\r\nGET {ONE} HTTP/1.1\r\n\r\n".encode())
    _, head, full = b"".join(written).split(b"HTTP/1.1 ")

    length = f"content-length: {len(front.get(ONE).content)}\r\n".encode()
    assert length in head
    assert length in full
    assert head.endswith(b"\r\n\r\n")


def test_who_resets_while_scores_are_looked_up_disturbs_nobody(front: Front) -> None:
    front.json(ONE)

    async def ask() -> Reply:
        config = uvicorn.Config(front.application, log_config=None, lifespan="off", ws="none", proxy_headers=False)
        config.load()
        protocol, transport = HttpProtocol(config, ServerState(), {}), Written()
        protocol.connection_made(transport)
        protocol.data_received(f"GET {ONE} HTTP/1.1\r\n\r\n".replace("/1/", "/2/").encode())
        protocol.connection_lost(ConnectionResetError())
        reply = await front.http.get(ONE)
        assert transport.parts == []
        return reply

    assert front.run(ask()).status_code == 200


@pytest.mark.parametrize("document", [b"{}", b'{"model":1}', b'{"model":"damaging"'])
def test_a_stored_score_that_cannot_be_read_is_an_error_of_that_request_only(
    front: Front, redis: Redis, document: bytes
) -> None:
    front.json(ONE)
    redis.set("ores:enwiki:damaging:2:0.5.1", b'{"status":"SUCCESS","answer":' + document + b"}")
    replies = front.at_once([ONE.replace("/1/", "/2/"), ONE])

    assert [reply.status_code for reply in replies] == [500, 200]
