"""Reading from a socket until a deadline, by a clock of ours."""

import socket
from collections.abc import Iterator
from io import BufferedReader

import pytest

from outbox import deadline
from outbox.deadline import BoundedReading, deadline_in

LONG = 60.0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(LONG)
        yield ours, theirs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moment it is, at its only place."""
    now = [1000.0]
    monkeypatch.setattr(deadline, "monotonic", lambda: now[0])
    return now


def reading_of(sock: socket.socket, seconds: float | None = LONG) -> BoundedReading:
    return BoundedReading(sock.makefile("rb", buffering=0), sock, deadline_in(seconds))


def test_what_comes_after_the_deadline_is_not_read(
    ends: tuple[socket.socket, socket.socket], clock: list[float]
) -> None:
    file = BufferedReader(reading_of(ends[0]))
    ends[1].sendall(b"ab")
    assert file.read(2) == b"ab"
    clock[0] += LONG
    ends[1].sendall(b"c")

    with pytest.raises(TimeoutError, match="timed out"):
        file.read(1)


def test_a_socket_waits_no_longer_than_is_left_and_writes_with_all_its_time_after_a_new_beginning(
    ends: tuple[socket.socket, socket.socket], clock: list[float]
) -> None:
    reading = reading_of(ends[0])
    ends[1].sendall(b"ab")
    clock[0] += 50
    assert reading.read(1) == b"a"
    assert ends[0].gettimeout() == 10

    reading.begin(LONG)
    assert ends[0].gettimeout() == LONG
    assert reading.read(1) == b"b"


def test_a_socket_without_a_time_out_has_no_deadline(
    ends: tuple[socket.socket, socket.socket], clock: list[float]
) -> None:
    ends[0].settimeout(None)
    reading = reading_of(ends[0], None)
    ends[1].sendall(b"a")
    clock[0] += 10**6
    reading.begin(None)

    assert reading.read(1) == b"a"
    assert ends[0].gettimeout() is None
