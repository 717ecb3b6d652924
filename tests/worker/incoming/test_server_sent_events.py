"""Server-sent events are the same however the bytes are cut, and none takes more memory than a limit."""

import tracemalloc
from collections import deque
from itertools import chain, pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from worker.incoming.server_sent_events import LONGEST_ID, EventStream, ServerSentEvent, StreamBroken

LIMIT = 50_000


def events(*chunks: bytes, longest: int = LIMIT) -> list[ServerSentEvent]:
    stream = EventStream(longest)
    return [event for chunk in chunks for event in stream.take(chunk)]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\r\n\r\ndata:  b\r\rdata\n\n", ["a", " b", ""]),
        (b"data: a\ndata:\ndata: b\n\n", ["a\n\nb"]),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"]),
        (b": a comment\n\n:\n\n\n\n", []),
        (b"data: \xce\xa9\xff\n\n", ["Ω\ufffd"]),
        (b"data: not ended", []),
        (b"other: a\n\n", []),
        (b"data: a: b\n\n", ["a: b"]),
        (b"data: a\xe2\x80\xa8b\x0bc\x85\n\n", ["a\u2028b\x0bc\ufffd"]),
    ],
)
def test_events_are_read_as_the_standard_says(text: bytes, data: list[str]) -> None:
    assert [event.data for event in events(text)] == data


def test_ids_stay_until_the_next_one_and_times_are_told_once() -> None:
    found = events(b"id: 1\nevent: message\nretry: 50\ndata: a\n\nid: \0\nretry: x\ndata: b\n\nid\ndata: c\n\n")

    assert found == [
        ServerSentEvent("message", "a", "1", 50),
        ServerSentEvent("", "b", "1", None),
        ServerSentEvent("", "c", "", None),
    ]


LINES = st.sampled_from(
    [b"data: a", b"data", b"id: 7", b"id", b"event: error", b"retry: 9", b": x", b"data: \xce\xa9", b""]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"])), max_size=30)


@settings(max_examples=examples(300))
@given(STREAMS, st.lists(st.integers(0, 200), max_size=20), st.sampled_from([b"", b"\r"]))
def test_where_the_bytes_are_cut_makes_no_difference(
    lines: list[tuple[bytes, bytes]], cuts: list[int], end: bytes
) -> None:
    text = b"".join(line + (end or line_end) for line, line_end in lines)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    cut = [text[start:stop] for start, stop in pairwise(places)]

    assert events(*cut) == events(text) == events(*(bytes([byte]) for byte in text))


@pytest.mark.parametrize(
    "piece",
    [b"x" * 10, b"data: " + b"x" * 1000 + b"\n", b"data\n", b":" * 100, b"\xce"],
    ids=["a line of small pieces", "many lines", "many empty lines", "a comment", "halves of characters"],
)
def test_what_has_no_end_is_given_up_and_takes_no_memory(piece: bytes) -> None:
    stream = EventStream(LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(StreamBroken, match="more than 50000 bytes, which can't be right"):
            deque(chain.from_iterable(map(stream.take, repeat(piece, 2 * LIMIT))), maxlen=0)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # A tenth of it, usually; threads that earlier tests have left are traced, too.
    assert most < 10 * LIMIT


def test_comments_for_ever_are_no_event_without_end() -> None:
    stream = EventStream(100)

    assert [list(stream.take(b": still here\n")) for _ in range(1000)] == [[]] * 1000


def test_an_event_as_large_as_the_limit_is_taken_and_the_next_begins_at_nothing() -> None:
    line = b"data: " + b"x" * (1000 - 6)

    assert [len(event.data) for event in events(*[line + b"\n\n"] * 3, longest=1000)] == [994] * 3
    with pytest.raises(StreamBroken):
        events(line + b"x\n\n", longest=1000)


def test_an_id_that_no_request_could_carry_is_given_up() -> None:
    with pytest.raises(StreamBroken, match="an id of more than"):
        events(b"id: " + b"x" * (LONGEST_ID + 1) + b"\n\n")


def test_a_time_to_wait_that_has_no_end_is_a_number_all_the_same() -> None:
    (event,) = events(b"retry: " + b"9" * 10_000 + b"\n\n")

    assert event.retry == 999_999_999_999
